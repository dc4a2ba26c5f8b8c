"""Grade submitted notebooks: `python tools/grade.py FOLDER`, on Linux. It changes nothing in that folder.

FOLDER holds a folder for each student, or notebooks whose names begin with the student's (ada_01_data.ipynb). Only
imports and definitions of the exercise cells are run, in a process without network. The folder grades/ then has

    grades.csv    student, chapter, exercise, points and reason
    alike.csv     pairs of answers that are nearly the same
    pages/        a page for each student, with reasons and hints
"""

import argparse
import contextlib
import os
import sys
from datetime import datetime
from pathlib import Path

from folders import atomic_folder
from grading import likeness, report, submissions
from grading.points import DEFAULT, Points
from grading.referee import Answer, Court
from grading.report import Row
from grading.submissions import Submission

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE
from mnist_helpers.exercises.judging import CORRECT, NOT_ATTEMPTED, NOT_YET

WALLS = {
    "network": "no network (a namespace of its own)",
    "processes": "no other processes (a namespace of its own)",
    "files": "no files but Python's own (Landlock)",
}


def grade(folder: Path, target: Path, points: Points, deadline: datetime | None, chapter: str, jobs: int) -> None:
    """Grade all notebooks in the folder, and write the folder `target`. Raises CourseError if there are none."""
    found = [one for one in submissions.found_in(folder) if not chapter or one.chapter in (chapter, "")]
    if not found:
        raise CourseError(f"there is no notebook of {f'chapter {chapter}' if chapter else 'the course'} in {folder}.")
    keep_the_newest(found, deadline)
    graded = [one for one in found if not one.problem]
    print(f"{len(found)} notebooks, {len(graded)} of them to grade.")
    verdicts = judge(answers_in(graded), jobs)
    rows = [row for one in found for row in rows_of(one, verdicts, points, deadline)]
    sources = {(one.student, one.chapter, name): text for one in graded for name, text in one.cells.items()}
    with atomic_folder(target, mark="grades.csv") as new:
        report.write_table(rows, new / "grades.csv")
        report.write_pairs(copies_among(sources), new / "alike.csv")
        report.write_pages(rows, sources, new / "pages")


def keep_the_newest(found: list[Submission], deadline: datetime | None = None) -> None:
    """Of several notebooks of a student for one chapter, mark all but one as not graded: the newest that is on time."""
    kept: dict[tuple[str, str], Submission] = {}
    readable = [one for one in found if not one.problem]
    for one in sorted(readable, key=lambda one: (not _lateness(one, deadline), one.path.stat().st_mtime)):
        if other := kept.get((one.student, one.chapter)):
            other.problem = f"{one.path.name} was graded instead: of several, the newest that is on time counts."
        kept[one.student, one.chapter] = one


def answers_in(graded: list[Submission]) -> list[Answer]:
    """Return the answers, chapter by chapter."""
    answers = [Answer(one.student, one.chapter, name, one.cells) for one in graded for name in one.cells]
    return sorted(answers, key=lambda answer: answer.chapter)


def judge(answers: list[Answer], jobs: int) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Return the state and the reason of each answer, by student, chapter and exercise."""
    verdicts: dict[tuple[str, str, str], tuple[str, str]] = {}
    if not answers:
        return verdicts
    with Court(sorted({answer.chapter for answer in answers})) as court:
        print_walls(court.walls)
        for answer, state, reason in court.judge_all(answers, jobs):
            verdicts[answer.student, answer.chapter, answer.exercise] = state, reason
            if len(verdicts) % 20 == 0 or len(verdicts) == len(answers):
                print(f"{len(verdicts)} of {len(answers)} answers", flush=True)
    return verdicts


def copies_among(sources: dict[tuple[str, str, str], str]) -> list[likeness.Pair]:
    """Return the pairs of answers that are nearly the same, given {(student, chapter, exercise): source}."""
    answers: dict[str, dict[str, str]] = {}
    solutions = {}
    for (student, chapter, name), source in sources.items():
        answers.setdefault(f"{chapter} {name}", {})[student] = source
        solutions[f"{chapter} {name}"] = getattr(submissions.exercises_of(chapter), name).source()
    return likeness.near_identical(answers, solutions)


def print_walls(walls: dict[str, bool]) -> None:
    """Say what keeps the answers from the network, from files and from processes on this system."""
    kernel = ", ".join(text for name, text in WALLS.items() if walls.get(name))
    print(f"Answers run with limits of time, memory and output, and with {kernel or 'Python checks alone'}.")
    if missing := ", ".join(name for name in WALLS if not walls.get(name)):
        print(f"Against {missing}, this system has no wall of its kernel: only Python's audit hook, which native code")
        print("can pass (torch.from_file, for one). Look at the answers that the column look_at names.")


def rows_of(one: Submission, verdicts, points: Points, deadline: datetime | None) -> list[Row]:
    """Return a row for each exercise of the notebook's chapter, or one that says why it could not be graded."""
    late = _lateness(one, deadline)
    if one.problem:
        return [Row(one.student, one.chapter, "", 0, 0, "not graded", one.problem, late=late, file=one.path.name)]
    rows = []
    for exercise in submissions.exercises_of(one.chapter):
        state, reason = verdicts.get((one.student, one.chapter, exercise.name), (NOT_ATTEMPTED, ""))
        if exercise.name in one.broken:
            state, reason = NOT_YET, one.broken[exercise.name]
        elif exercise.name not in one.cells:
            reason = "there is no answer in the notebook."
        of = points.of(exercise)
        gained = of * (points.late_share if late else 1) if state == CORRECT else 0
        touched = ", ".join(likeness.flags(exercise.name, one.cells.get(exercise.name, "")))
        row = Row(one.student, one.chapter, exercise.name, gained, of, state, reason, touched, late, one.path.name)
        rows.append(row)
    return rows


def _lateness(one: Submission, deadline: datetime | None) -> str:
    """Return by how much the file is newer than the deadline, in words."""
    if deadline is None or not one.path.is_file():
        return ""
    hours = (one.path.stat().st_mtime - deadline.timestamp()) / 3600
    return f"{hours:.1f} hours" if hours > 0 else ""


def main() -> None:
    """Grade what the command line names."""
    parser = argparse.ArgumentParser(description="Grade submitted notebooks.")
    parser.add_argument("folder", type=Path, help="a folder for each student in it, or notebooks")
    parser.add_argument("--to", type=Path, default=COURSE / "grades", help="folder to write (grades/)")
    parser.add_argument("--points", type=Path, default=DEFAULT, help="a TOML file with points")
    parser.add_argument("--deadline", type=datetime.fromisoformat, help="mark later files: 2026-11-30T18:00")
    parser.add_argument("--chapter", default="", help="grade this chapter only: 02")
    parser.add_argument("--jobs", type=int, default=min(4, os.cpu_count() or 1), help="answers at the same time")
    options = parser.parse_args()
    try:
        _check(options)
        points = Points(options.points)
        grade(options.folder, options.to, points, options.deadline, options.chapter, max(1, options.jobs))
    except (CourseError, OSError) as error:
        sys.exit(f"{error}\nNothing was written.")
    except KeyboardInterrupt:
        sys.exit("Stopped. Nothing was written.")
    with contextlib.suppress(ValueError):
        options.to = options.to.resolve().relative_to(Path.cwd())
    print(f"written: {options.to}/ (grades.csv, alike.csv, pages/)")


def _check(options: argparse.Namespace) -> None:
    """Raise CourseError if grading cannot begin."""
    if not hasattr(os, "fork"):
        raise CourseError("grading needs Linux or macOS, on Windows the Windows Subsystem for Linux (WSL).")
    if not options.folder.is_dir():
        raise CourseError(f"there is no folder {options.folder}; name the folder with the submitted notebooks.")
    if options.to.resolve().is_relative_to(options.folder.resolve()):
        raise CourseError(f"the grades cannot go to {options.to}, which lies in the folder of the submissions.")


if __name__ == "__main__":
    main()
