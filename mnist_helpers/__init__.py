"""Helpers of the course: each module is taught in a notebook first, then imported by the later ones."""


class CourseError(Exception):
    """A mistake in what a caller gave, told in one sentence: what was given, what was expected, what to do."""

    def _render_traceback_(self) -> list[str]:
        """Let Jupyter show the sentence alone, without the frames that led to it."""
        return [f"CourseError: {self}"]
