"""Helpers of the course: each module is taught in a notebook first, then imported by the later ones."""

import os

# ONNX Runtime would send telemetry to Microsoft: it reads this once, when it is imported, which nothing does before
os.environ["ORT_DISABLE_TELEMETRY"] = "1"


class CourseError(Exception):
    """A mistake in what a caller gave, told in one sentence: what was given, what was expected, what to do."""

    def _render_traceback_(self) -> list[str]:
        """Let Jupyter show the sentence alone, without the frames that led to it."""
        return [f"CourseError: {self}"]
