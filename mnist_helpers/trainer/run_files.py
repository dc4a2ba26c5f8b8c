"""The names of a run's files, and whether a run may use its output folder. Needs no torch, and so answers at once."""

from pathlib import Path

from mnist_helpers import CourseError
from mnist_helpers._support.atomic_files import remove_stale_temporaries


class RunFiles:
    """The files in the folder `path`: checkpoint.pt and, at the end of the run, model.pt and others."""

    def __init__(self, path: Path, resume: bool):
        self.path, self.resume = path, resume
        names = ("checkpoint.pt", "model.pt", "result.json", "model.onnx")
        self.checkpoint, self.model, self.result, self.onnx = (path / name for name in names)

    def check(self) -> None:
        """Raise CourseError if the folder cannot be used, or holds a run that is not to be resumed."""
        try:
            begun, ended = self.has_checkpoint(), self.model.exists() or self.result.exists()
        except OSError as error:  # a name too long, a folder without permission
            raise CourseError(f"{self.path} cannot be used ({error.strerror}); choose another --output.") from None
        if begun and not self.resume:
            raise CourseError(
                f"{self.path} holds a run already; add --resume to continue it, or choose another --output."
            )
        if ended and not begun:
            raise CourseError(f"{self.path} holds a result without its checkpoint; choose another --output.")

    def has_checkpoint(self) -> bool:
        """Return whether the folder holds the state of a run."""
        return self.checkpoint.exists() or previous_checkpoint(self.checkpoint).exists()

    def remove_stale_temporaries(self) -> None:
        """Remove the temporary files that a killed run has left."""
        for path in (self.checkpoint, self.model, self.result, self.onnx):
            remove_stale_temporaries(path)


def previous_checkpoint(path: Path) -> Path:
    """Return where `save_run` keeps the state that it replaces."""
    return path.with_stem(f"{path.stem}_before")
