"""Read digits from image files with a network in an ONNX file, without torch.

    python -m mnist_helpers.predict photo.png drawings/     # print digit, confidence and name, one line per file
    python -m mnist_helpers.predict --json photo.png

For a folder, all images in it are read. If a file cannot be read, the reason is printed on stderr in one sentence.
Exit code 0: all files were read; 1: some were not, or the output was closed early (as by `| head`); 2: none was read;
130: Ctrl+C.
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
from mnist_helpers._support.terminal import Parser, escape_control_characters, escape_unencodable, silence_stdout

MODEL = MODELS / "digits.onnx"


@dataclass(frozen=True)
class Answer:
    """The prediction for one image file."""

    file: str
    digit: int
    confidence: float  # the probability of `digit`
    probabilities: list[float]  # of the classes 0 to 9


class Reader:
    """A network in an ONNX file that maps uint8 images [N, 28, 28] to probabilities [N, 10].

    `threads` is the number of threads (0: one per core). The attribute `metadata` holds the metadata of the file. The
    course's own file must have its published digest; `checked` is True if the digest was compared. Raises CourseError
    if the file is missing or damaged, stores weights in other files, or has other inputs or outputs.
    """

    def __init__(self, path: Path = MODEL, threads: int = 0):
        self.checked = Path(path).resolve() == MODEL
        digest = published_sha256(MODEL) if self.checked else None
        self.path, self._session = path, onnx_file.open_session(path, threads, digest)
        values = [*self._session.get_inputs(), *self._session.get_outputs()]
        found = [(value.type, value.shape[1:]) for value in values]
        dynamic = not any(isinstance(value.shape[0], int) for value in values if value.shape)
        if found != [("tensor(uint8)", [28, 28]), ("tensor(float)", [10])] or not dynamic:
            raise CourseError(
                f"{path} has other inputs or outputs, but uint8 images [N, 28, 28] and probabilities [N, 10] were "
                "expected; write the file with export.to_onnx_from_pixels."
            )
        self.metadata = self._session.get_modelmeta().custom_metadata_map

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, float32 [N, 10], of images uint8 [N, 28, 28] with light ink on black.

        Raises CourseError for images of another shape or dtype, or if the outputs do not add up to 1.
        """
        if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (28, 28):
            given = f"{images.dtype} {list(images.shape)}" if isinstance(images, np.ndarray) else type(images).__name__
            raise CourseError(
                f"a NumPy array was expected, uint8 of shape [N, 28, 28], but {given} was given; read files with "
                "drawing.read_image, and turn a single image into a batch with image[None]."
            )
        try:
            (found,) = self._session.run(None, {self._session.get_inputs()[0].name: images})
            sums = found.sum(axis=1)
        except Exception:  # onnxruntime's own types, if the output does not have the declared shape
            sums = np.full(1, np.nan)
        if not np.allclose(sums, 1, atol=1e-3):
            raise CourseError(f"{self.path} does not return probabilities that add up to 1; export the network again.")
        return found

    def read(self, path: Path) -> Answer:
        """Return the prediction for one image file. Raises CourseError as drawing.read_image does."""
        (probabilities,) = self.probabilities(drawing.read_image(path)[None])
        digit = int(probabilities.argmax())
        return Answer(str(path), digit, float(probabilities[digit]), probabilities.tolist())


def read_digits(paths: list[Path], model: Path = MODEL) -> list[Answer]:
    """Return the predictions for image files and folders, in order. Raises CourseError at the first bad file."""
    reader = Reader(model)
    return [reader.read(file) for path in paths for file in files(Path(path))]


def files(path: Path) -> list[Path]:
    """Return the image files in a folder, sorted by name. If `path` is not a folder, return `path` alone.

    Hidden files are left out: on USB sticks and in zip files, macOS adds a ._photo.png, which is not an image, to each
    photo.png. Raises CourseError for a folder that cannot be read or has no images.
    """
    if not os.path.isdir(path):  # Path.is_dir raises an error for a name that is too long
        return [path]
    try:
        shown = (file for file in path.iterdir() if not file.name.startswith("."))
        found = sorted(file for file in shown if file.suffix.lower() in drawing.SUFFIXES)
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read ({error.strerror}); choose a folder that you have permission to read."
        ) from None
    if not found:
        kinds = " ".join(sorted(drawing.SUFFIXES))
        raise CourseError(f"{path} is a folder without images; choose one that contains files ending in {kinds}.")
    return found


def answers(reader: Reader, paths: list[Path]) -> Iterator[tuple[Path, Answer | str]]:
    """Yield each file with its answer, or with the message that says why it could not be read."""
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
    """Print the answers, and the messages for unreadable files on stderr; return the exit code."""
    entries, failures = [], 0
    for file, answer in found:
        if isinstance(answer, str):
            failures += 1
            print(escape_control_characters(answer), file=sys.stderr)
            entries.append({"file": str(file), "error": answer})
        else:
            entries.append(asdict(answer))
            if not as_json:
                name = escape_control_characters(answer.file)
                print(f"{answer.digit}  {answer.confidence:6.1%}  {name}", flush=True)
    if as_json:
        print(json.dumps(entries, indent=1), flush=True)
    return 0 if not failures else 1 if failures < len(entries) else 2


def _parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="python -m mnist_helpers.predict",
        description="Read one handwritten digit from each image file. Any image size is accepted, with "
        "dark ink on light paper or light ink on a dark background. Exit code 0: all files were read; "
        "1: some were not; 2: none was.",
    )
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="an image file or a folder of image files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON with all ten probabilities")
    parser.add_argument("--model", type=Path, default=MODEL, help="an ONNX file (default: models/digits.onnx)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    escape_unencodable()
    try:
        reader = Reader(options.model)
    except CourseError as error:
        parser.exit(2, f"{escape_control_characters(str(error))}\n")
    if not reader.checked:
        name = escape_control_characters(str(options.model))
        print(f"{name} has no published digest, so it was not checked for damage.", file=sys.stderr)
    try:
        return report(answers(reader, options.images), options.json)
    except BrokenPipeError:
        silence_stdout()
        return 1


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # end at once on Ctrl+C; C libraries may swallow KeyboardInterrupt
    sys.exit(main())
