"""Read digits from image files with a network in an ONNX file, without torch.

    python -m mnist_helpers.predict photo.png drawings/     # digit, confidence and name, one line a file
    python -m mnist_helpers.predict --json photo.png

A folder stands for the images in it. What can be read is answered; the rest is reported, one sentence each.
Exit code 0: all were read; 1: some were not, or nobody wanted the rest (as in `| head`); 2: none was; 130: Ctrl+C.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mnist_helpers import CourseError, drawing, onnx_file
from mnist_helpers._support.checksums import published_sha256
from mnist_helpers._support.paths import MODELS
from mnist_helpers._support.terminal import Parser, escape_unprintable, silence_stdout, visible

MODEL = MODELS / "digits.onnx"


@dataclass(frozen=True)
class Answer:
    """What the network says about one image file."""

    file: str
    digit: int
    confidence: float  # the probability of `digit`
    probabilities: list[float]  # of the classes 0 to 9


class Reader:
    """A network in an ONNX file that takes images uint8 [N, 28, 28] and gives probabilities [N, 10].

    `metadata` is what the file says of itself; `threads` is how many work on a batch, 0 for as many as there are
    cores. The course's own file must have its published digest: `checked` tells whether it was compared. Raises
    CourseError for a file that is missing, torn, keeps weights in other files, or has other inputs or outputs.
    """

    def __init__(self, path: Path = MODEL, threads: int = 0):
        self.checked = Path(path).resolve() == MODEL
        digest = published_sha256(MODEL) if self.checked else None
        self.path, self._session = path, onnx_file.open_session(path, threads, digest)
        takes, gives = self._session.get_inputs(), self._session.get_outputs()
        found = [(value.type, value.shape[1:]) for value in [*takes, *gives]]
        free = not any(isinstance(value.shape[0], int) for value in [*takes, *gives] if value.shape)
        if found != [("tensor(uint8)", [28, 28]), ("tensor(float)", [10])] or not free:
            raise CourseError(
                f"{path} has other inputs or outputs, but uint8 images [N, 28, 28] and probabilities [N, 10] were "
                "expected; write the file with export.to_onnx_from_pixels."
            )
        self.metadata = self._session.get_modelmeta().custom_metadata_map

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 [N, 10], of images uint8 [N, 28, 28], light ink on black.

        Raises CourseError for images of another shape or dtype, and when what the file gives are no probabilities.
        """
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (28, 28):
            given = f"{images.dtype} {list(images.shape)}" if isinstance(images, np.ndarray) else type(images).__name__
            raise CourseError(
                f"a NumPy array was expected, uint8 of shape [N, 28, 28], but {given} was given; read files with "
                "drawing.read_image, and turn one image into a batch with image[None]."
            )
        try:
            (found,) = self._session.run(None, {self._session.get_inputs()[0].name: images})
            sums = found.sum(axis=1)
        except Exception:  # onnxruntime's own types: the file promised a shape, and does not keep to it
            sums = np.full(1, np.nan)
        if not np.allclose(sums, 1, atol=1e-3):
            raise CourseError(f"{self.path} gives no probabilities that add up to 1; export the network again.")
        return found

    def read(self, path: Path) -> Answer:
        """Read the digit in one image file. Raises CourseError as drawing.read_image does."""
        (probabilities,) = self.probabilities(drawing.read_image(path)[None])
        digit = int(probabilities.argmax())
        return Answer(str(path), digit, float(probabilities[digit]), probabilities.tolist())


def read_digits(paths: list[Path], model: Path = MODEL) -> list[Answer]:
    """Read the digits in image files and in folders of them, in order; raises CourseError at the first that fails."""
    reader = Reader(model)
    return [reader.read(file) for path in paths for file in files(Path(path))]


def files(path: Path) -> list[Path]:
    """Return the images in a folder, by name, or else `path` itself; raises CourseError for a folder without one.

    Hidden files do not count: macOS puts a ._photo.png, which is no image, beside photo.png on a stick or in a zip.
    """
    if not os.path.isdir(path):  # Path.is_dir would raise where a name is too long
        return [path]
    try:
        shown = (file for file in path.iterdir() if not file.name.startswith("."))
        found = sorted(file for file in shown if file.suffix.lower() in drawing.SUFFIXES)
    except OSError as error:
        raise CourseError(f"{path} cannot be read ({error.strerror}); choose a folder that you may open.") from None
    if not found:
        kinds = " ".join(sorted(drawing.SUFFIXES))
        raise CourseError(f"{path} is a folder without images, but a file ending in {kinds} was expected; name one.")
    return found


def answers(reader: Reader, paths: list[Path]) -> Iterator[tuple[Path, Answer | str]]:
    """Yield each file with its answer, or with the sentence that says why there is none."""
    for path in paths:
        try:
            found = files(path)
        except CourseError as error:
            yield path, str(error)
            continue
        for file in found:
            try:
                yield file, reader.read(file)
            except CourseError as error:
                yield file, str(error)


def report(found: Iterator[tuple[Path, Answer | str]], as_json: bool) -> int:
    """Print the answers, and on stderr the sentences of files without one; returns the exit code."""
    entries, failures = [], 0
    for file, answer in found:
        if isinstance(answer, str):
            failures += 1
            print(visible(answer), file=sys.stderr)
            entries.append({"file": str(file), "error": answer})
        else:
            entries.append(asdict(answer))
            if not as_json:
                print(f"{answer.digit}  {answer.confidence:6.1%}  {visible(answer.file)}", flush=True)
    if as_json:
        print(json.dumps(entries, indent=1), flush=True)
    return 0 if not failures else 1 if failures < len(entries) else 2


def main(arguments: list[str] | None = None) -> int:
    parser = Parser(
        prog="python -m mnist_helpers.predict",
        description="Read one handwritten digit from each image, of any size, in dark ink on light paper or the other "
        "way round. Exit code 0: all were read; 1: some were not; 2: none was.",
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="an image file, or a folder of them")
    parser.add_argument("--json", action="store_true", help="print a list with all ten probabilities")
    parser.add_argument("--model", type=Path, default=MODEL, help="an ONNX file (default: models/digits.onnx)")
    options = parser.parse_args(arguments)
    escape_unprintable()
    try:
        reader = Reader(options.model)
    except CourseError as error:
        parser.exit(2, f"{visible(str(error))}\n")
    if not reader.checked:
        print(visible(f"{options.model} has no published digest, so it was not checked for damage."), file=sys.stderr)
    try:
        return report(answers(reader, options.images), options.json)
    except BrokenPipeError:
        silence_stdout()
        return 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl+C ends it at once; libraries in C may swallow KeyboardInterrupt
    sys.exit(main())
