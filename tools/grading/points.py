"""How many points an exercise gives, from a file such as points.toml beside this one."""

import tomllib
from pathlib import Path

from grading.submissions import chapters
from mnist_helpers import CourseError
from mnist_helpers.exercises.core import Exercise

DEFAULT = Path(__file__).with_name("points.toml")


class Points:
    """The numbers of a points file. Raises CourseError if the file cannot be used."""

    def __init__(self, path: Path = DEFAULT):
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
            self.stars = {int(stars): float(points) for stars, points in table["stars"].items()}
            self.own = {str(name): float(points) for name, points in table.get("exercises", {}).items()}
            self.late_share = float(table.get("late", {}).get("share", 1))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise CourseError(
                f"the points file {path} cannot be used ({error!s:.200}); {DEFAULT} shows how one looks."
            ) from None
        if unknown := self.own.keys() - {name for names in chapters().values() for name in names}:
            raise CourseError(
                f"the points file {path} names {', '.join(sorted(unknown))}, but no exercise is called so."
            )
        if missing := {1, 2, 3} - self.stars.keys():
            raise CourseError(f"the points file {path} has no points for {missing} stars; it needs 1, 2 and 3.")

    def of(self, exercise: Exercise) -> float:
        """Return the points for a right answer."""
        return self.own.get(exercise.name, self.stars[exercise.stars])
