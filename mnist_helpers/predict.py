"""Read handwritten digits in image files with a network in an ONNX file, without torch.

    python -m mnist_helpers.predict photo.png drawings/     # print number, confidence and name, one line per file
    python -m mnist_helpers.predict --json photo.png
    python -m mnist_helpers.predict --save-view views photo.png     # write a picture that shows what was read, and why

A picture may show several digits; they are read line by line, and a space stands between two numbers, as in 12 345. A
digit that is not sure is printed as a question mark.
For a folder, all images in it are read, and of a TIFF file or an animation all pages. If something cannot be read, or
shows no digit, the reason is printed on stderr in one sentence. Exit code 0: everything was read; 1: something was not,
or the output could not be written to its end (as with `| head`); 2: nothing was read; 130: Ctrl+C.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mnist_helpers import CourseError, drawing, image_files, onnx_file, segment, view
from mnist_helpers._support.atomic_files import atomic_write
from mnist_helpers._support.checksums import published_sha256
from mnist_helpers._support.paths import MODELS
from mnist_helpers._support.terminal import (
    Parser,
    between,
    escape_control_characters,
    escape_unencodable,
    number_between,
    print_result,
    remove_progress,
    show_progress,
)
from mnist_helpers.image_files import Page

MODEL = MODELS / "digits.onnx"
THRESHOLD = 0.5  # of a network whose file names none
WIDEST = 2.0  # times as wide as high: a wider shape is not sure to be a digit
UNREADABLE = 0.5  # a single shape is refused below this confidence; from here to the threshold, it is read as "?"
LEAST_SURE = 0.5  # several shapes are refused if fewer than this share of them are sure


@dataclass(frozen=True)
class Digit:
    """One digit in a picture, and what the network says about it."""

    digit: int  # the most probable class
    confidence: float  # its probability
    probabilities: list[float]  # of the classes 0 to 9
    box: segment.Box  # top, left, height and width, in the picture as image_files.read_grey returns it
    sure: bool  # whether the confidence reaches the threshold

    def __str__(self) -> str:
        return str(self.digit) if self.sure else "?"

    def doubt(self) -> str:
        """Return the two most probable classes in words."""
        second, first = np.argsort(self.probabilities)[-2:]
        return f"{first} or {second}"


@dataclass(frozen=True)
class Answer:
    """What was read on one page of an image file. In `number`, a question mark stands for a digit that is not sure."""

    file: str
    number: str  # all digits in reading order, with a space between two numbers, for example "42" or "12 345"
    confidence: float  # the lowest of the digits'
    digits: list[Digit]
    page: int = 1  # counted from 1
    pages: int = 1  # in the file

    def note(self) -> str:
        """Return what there is to say about digits that are not sure."""
        doubts = [digit.doubt() for digit in self.digits if not digit.sure]
        return f"unsure: {', '.join(doubts)}" if doubts else ""


class Reader:
    """A network in an ONNX file that maps uint8 images [N, 28, 28] to probabilities [N, 10].

    `threads` is the number of threads (0: one per core). A digit whose confidence is below `threshold` is not sure; the
    default is the threshold in the file's metadata, or 0.5. The attribute `metadata` holds the metadata of the file.
    The course's own file must have its published digest; `checked` is True if the digest was compared. Raises
    CourseError if the file is missing or damaged, stores weights in other files, or has other inputs or outputs.
    """

    def __init__(self, path: Path = MODEL, threads: int = 0, threshold: float | None = None):
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
        self._input, self._output = (value.name for value in values)
        self.metadata = self._session.get_modelmeta().custom_metadata_map
        self.threshold = self._stored_threshold() if threshold is None else threshold

    def _stored_threshold(self) -> float:
        """Return the threshold in the metadata of the file."""
        stored = self.metadata.get("threshold", str(THRESHOLD))
        try:
            return number_between(stored, 0, 1)
        except ValueError:
            raise CourseError(
                f"{self.path} stores the threshold {stored!r}, but a number from 0 to 1 was expected."
            ) from None

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
            found = onnx_file.run_in_batches(self._session, self._input, self._output, images)
            sums = found.sum(axis=1)
        except Exception:  # onnxruntime's own types, if the output does not have the declared shape
            sums = np.full(1, np.nan)
        if not np.allclose(sums, 1, atol=1e-3):
            raise CourseError(f"{self.path} does not return probabilities that add up to 1; export the network again.")
        return found

    def read(self, path: Path | Page) -> Answer:
        """Return what is read in an image file, on its first page unless a `Page` is given.

        Raises CourseError as image_files.read_grey does, or if no digit is found: the picture shows no ink on paper, or
        the network is sure of none of what it shows.
        """
        page = path if isinstance(path, Page) else Page(Path(path))
        return answer_from(page, self.digits(drawing.find_digits(image_files.read_grey(page))))

    def digits(self, found: list[drawing.FoundDigit]) -> list[Digit]:
        """Return the prediction for each digit. A shape far wider than high is not sure to be a digit."""
        if not found:
            return []
        digits = []
        for shape, row in zip(found, self.probabilities(np.stack([digit.picture for digit in found]))):
            confidence = float(row.max())
            sure = confidence >= self.threshold and shape.box[3] <= WIDEST * shape.box[2]
            digits.append(Digit(int(row.argmax()), confidence, row.tolist(), shape.box, sure))
        return digits


def answer_from(page: Page, digits: list[Digit]) -> Answer:
    """Return the answer for the digits on a page. Raises CourseError as `Reader.read` does."""
    if not digits:
        raise CourseError(f"{page} shows no digit; write with a dark pen on light paper, and leave a margin.")
    if not all(digit.sure for digit in digits) and segment.lie_sideways([digit.box for digit in digits]):
        raise CourseError(f"{page} seems to lie on its side; turn it so that the digits are upright.")
    if _is_no_number(digits):
        raise CourseError(f"{page} shows something, but no digit that the network is sure of.")
    confidence = min(digit.confidence for digit in digits)
    return Answer(str(page.path), as_numbers(digits), confidence, digits, page.number, page.count)


def as_numbers(digits: list[Digit]) -> str:
    """Return digits in reading order as text, with a space between two numbers: "12 345"."""
    spaces = segment.spaces([digit.box for digit in digits])
    return "".join(space + str(digit) for space, digit in zip(spaces, digits))


def _is_no_number(digits: list[Digit]) -> bool:
    """Return whether the network is sure of too little to take these shapes for digits."""
    if len(digits) == 1:
        return not digits[0].sure and digits[0].confidence < UNREADABLE
    return sum(digit.sure for digit in digits) < LEAST_SURE * len(digits)


def read_digits(paths: list[Path], model: Path = MODEL) -> list[Answer]:
    """Return what is read on all pages of image files and folders. Raises CourseError at the first bad file."""
    reader = Reader(model)
    return [reader.read(page) for path in paths for file in files(Path(path)) for page in image_files.pages(file)]


def files(path: Path, recursive: bool = False) -> list[Path]:
    """Return the image files in a folder, sorted by name. If `path` is not a folder, return `path` alone.

    With `recursive`, folders in the folder are searched, too. Hidden files are left out: on USB sticks and in zip
    files, macOS adds a ._photo.png, which is not an image, to each photo.png. Pictures of formats that cannot be read
    are returned as well, so that nobody takes them for read. Raises CourseError for a folder that cannot be read or has
    no images.
    """
    if not os.path.isdir(path):  # Path.is_dir raises an error for a name that is too long
        return [path]
    try:
        inside = sorted(path.rglob("*") if recursive else path.iterdir())
    except OSError as error:
        raise CourseError(
            f"{path} cannot be read ({error.strerror}); choose a folder that you have permission to read."
        ) from None
    found = [file for file in inside if _is_picture(file.relative_to(path))]
    if not found:
        kinds = " ".join(sorted(image_files.SUFFIXES))
        raise CourseError(f"{path} is a folder without images; choose one that contains files ending in {kinds}.")
    return found


def _is_picture(path: Path) -> bool:
    """Return whether a path in a folder is, by its name, a picture that is not hidden."""
    known = path.suffix.lower() in image_files.SUFFIXES | image_files.OTHER_SUFFIXES.keys()
    return known and not any(part.startswith(".") for part in path.parts)


def answers(reader: Reader, listed: list[tuple[Path, str]], folder: Path | None) -> Iterator[tuple[Page, Answer | str]]:
    """Yield each page with its answer, or with the message that says why it could not be read.

    `listed` is what `_listed` returns; the views of the pages are written to `folder`, if it is given.
    """
    for number, (path, error) in enumerate(listed):
        show_progress(number, len(listed))
        for entry in [(Page(path), error)] if error else _answers_of_file(reader, path, folder):
            remove_progress()
            yield entry


def _listed(paths: list[Path], recursive: bool) -> list[tuple[Path, str]]:
    """Return the image files in folders, each with "", and folders that cannot be read with the reason."""
    listed: list[tuple[Path, str]] = []
    for path in paths:
        try:
            listed += [(file, "") for file in files(path, recursive)]
        except CourseError as error:
            listed.append((path, str(error)))
    return listed


def _answers_of_file(reader: Reader, path: Path, folder: Path | None) -> Iterator[tuple[Page, Answer | str]]:
    """Yield each page of an image file with its answer, or with the message that says why it could not be read."""
    try:
        pages = image_files.pages(path)
    except CourseError as error:
        yield Page(path), str(error)
        return
    for page in pages:
        try:
            yield page, read_and_show(reader, page, folder)
        except CourseError as error:
            yield page, str(error)


def read_and_show(reader: Reader, page: Page, folder: Path | None) -> Answer:
    """Read a page and, if `folder` is given, write the view of it there, whether a digit was found or not."""
    grey = image_files.read_grey(page)
    found = drawing.find_digits(grey)
    digits = reader.digits(found)
    if folder is not None:
        picture = view.view(grey, found, [(str(digit), digit.confidence) for digit in digits])
        name = f"{page.path.name}.page{page.number}" if page.count > 1 else page.path.name
        with atomic_write(folder / f"{name}.view.png") as file:
            picture.save(file, "PNG")
    return answer_from(page, digits)


def report(found: Iterator[tuple[Page, Answer | str]], as_json: bool) -> int:
    """Print the answers, and the messages for unreadable files on stderr; return the exit code."""
    entries, failures = [], 0
    for page, answer in found:
        if isinstance(answer, str):
            failures += 1
            print(escape_control_characters(answer), file=sys.stderr)
            entries.append({"file": str(page.path), "page": page.number, "error": answer})
        else:
            entries.append(asdict(answer))
            if not as_json:
                print_result(line(answer), "the answers")
    if as_json:
        print_result(json.dumps(entries, indent=1), "the answers")
    return 0 if not failures else 1 if failures < len(entries) else 2


def line(answer: Answer) -> str:
    """Return the line that is printed for one file."""
    note = f"  ({answer.note()})" if answer.note() else ""
    page = escape_control_characters(str(Page(Path(answer.file), answer.page, answer.pages)))
    return f"{answer.number}  {answer.confidence:6.1%}  {page}{note}"


def _parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="python -m mnist_helpers.predict",
        description="Read the handwritten digits in image files. Any image size is accepted, with "
        "dark ink on light paper or light ink on a dark background. A space is printed between two numbers. "
        "Exit code 0: everything was read; 1: something was not, or the output could not be written; 2: nothing was "
        "read.",
    )
    parser.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="an image file or a folder of image files"
    )
    parser.add_argument("--json", action="store_true", help="print JSON with each digit's box and ten probabilities")
    parser.add_argument("--recursive", action="store_true", help="also read the folders in a folder")
    parser.add_argument(
        "--threshold",
        type=between(float, 0, 1),
        metavar="P",
        help="print ? for digits less probable than this, from 0 to 1 (default: what the model stores, 0.95 in ours)",
    )
    parser.add_argument(
        "--save-view", type=Path, metavar="FOLDER", help="write pictures there that show what was read, and why"
    )
    parser.add_argument("--model", type=Path, default=MODEL, help="an ONNX file (default: models/digits.onnx)")
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    escape_unencodable()
    if sys.stdout is None:  # closed by the shell: python -m mnist_helpers.predict photo.png >&-
        parser.exit(2, "the answers are printed on the standard output, but it is closed; leave it open.\n")
    try:
        reader = Reader(options.model, threshold=options.threshold)
    except CourseError as error:
        parser.exit(2, f"{escape_control_characters(str(error))}\n")
    if not reader.checked:
        name = escape_control_characters(str(options.model))
        print(f"{name} has no published digest, so it was not checked for damage.", file=sys.stderr)
    listed = _listed(options.images, options.recursive)
    return report(answers(reader, listed, options.save_view), options.json)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # end at once on Ctrl+C; C libraries may swallow KeyboardInterrupt
    sys.exit(main())
