"""Serve the files of one folder to this machine alone, and nothing beside it."""

from http.server import SimpleHTTPRequestHandler
from pathlib import Path


class FolderHandler(SimpleHTTPRequestHandler):
    """Give files of `directory`: no list of them, and none that a symbolic link takes from elsewhere."""

    def send_head(self):
        try:
            file = Path(self.translate_path(self.path)).resolve()
            inside = file.is_relative_to(Path(self.directory).resolve())
        except (OSError, RuntimeError, ValueError):  # links in a circle, a zero byte
            inside = False
        return super().send_head() if inside else self.send_error(404)

    def list_directory(self, path):
        self.send_error(404)

    def log_message(self, *args):
        pass
