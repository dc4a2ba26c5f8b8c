"""A request handler that serves the files of one folder and nothing else."""

from http.server import SimpleHTTPRequestHandler
from pathlib import Path


class FolderHandler(SimpleHTTPRequestHandler):
    """Serve the files of `directory`, without directory listings or links to files outside it."""

    def send_head(self):
        return self.send_error(404) if self.asked_file() is None else super().send_head()

    def asked_file(self) -> Path | None:
        """Return the file or folder that the request asks for, or None if it is outside `directory`."""
        try:
            file = Path(self.translate_path(self.path)).resolve()
            return file if file.is_relative_to(Path(self.directory).resolve()) else None
        except (OSError, RuntimeError, ValueError):  # circular links or a null byte in the path
            return None

    def list_directory(self, path):
        self.send_error(404)

    def log_message(self, *args):
        pass
