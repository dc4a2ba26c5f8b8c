"""A request handler that serves the files of one folder and nothing else."""

from http.server import SimpleHTTPRequestHandler
from pathlib import Path


class FolderHandler(SimpleHTTPRequestHandler):
    """Serve the files of `directory`, without directory listings or links to files outside it."""

    def send_head(self):
        try:
            file = Path(self.translate_path(self.path)).resolve()
            inside = file.is_relative_to(Path(self.directory).resolve())
        except (OSError, RuntimeError, ValueError):  # circular links or a null byte in the path
            inside = False
        return super().send_head() if inside else self.send_error(404)

    def list_directory(self, path):
        self.send_error(404)

    def log_message(self, *args):
        pass
