"""Helper modules of the course: at the top what the chapters teach, in the folders the machinery around it."""

import os

# Switch off the telemetry of ONNX Runtime, which reads this variable only once, when it is imported
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class CourseError(Exception):
    """Raised for a bad argument, a bad file or a full disk.

    The message is one sentence that says what was given, what was expected and what to do.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what Jupyter shows: the message without the traceback."""
        return [f"CourseError: {self}"]
