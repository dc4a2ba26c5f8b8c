"""A server for browsers of this machine, which gives them the files of one folder and nothing else."""

import re
import threading
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONNECTIONS = 64  # at once; a browser opens six
SILENCE = 30  # seconds after which a connection that says nothing is closed
# A page of another site can let its name lead to 127.0.0.1 and then read what is here, but only under its own name.
# The port is free, since it is another one behind an SSH tunnel.
OWN_NAME = re.compile(r"(127\.0\.0\.1|localhost)(:\d{1,5})?", re.IGNORECASE)


class FolderServer(ThreadingHTTPServer):
    """A server on 127.0.0.1 with a bounded number of connections; those above it are refused at once."""

    request_queue_size = CONNECTIONS  # with Python's 5, a burst of connections waits for seconds

    def __init__(self, handler, port: int = 0):
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request, client_address):
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()


class FolderHandler(SimpleHTTPRequestHandler):
    """Answer GET and HEAD with the files of `directory`, without directory listings or links to files outside it."""

    timeout = SILENCE
    hosts = OWN_NAME

    def parse_request(self):
        if not super().parse_request():
            return False
        names = self.headers.get_all("Host", [])
        if len(names) == 1 and self.hosts.fullmatch(names[0].strip()):
            return True
        self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
        return False

    def send_head(self):
        return self.send_error(HTTPStatus.NOT_FOUND) if self.asked_file() is None else super().send_head()

    def asked_file(self) -> Path | None:
        """Return the file or folder that is asked for; None if it, or the page of the folder, is not in `directory`."""
        try:
            file = Path(self.translate_path(self.path)).resolve()
            pages = file, (file / "index.html").resolve(), (file / "index.htm").resolve()
            return file if all(page.is_relative_to(Path(self.directory).resolve()) for page in pages) else None
        except (OSError, RuntimeError, ValueError):  # circular links or a null byte in the path
            return None

    def list_directory(self, path):
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *args):
        pass
