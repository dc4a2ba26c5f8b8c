"""A copy of the course whose site can be built without the packages of npm.

It imports what only the site needs when it is called: without these packages, the tests of the site are skipped.
"""

from tests.support.course_copy import fresh_copy

MATHJAX = "exports.init = async () => ({ tex2mml: (tex) => `<math><mtext>${tex.length}</mtext></math>` });"
OLD = "the good site"


def course_with_a_site(folder):
    """Copy the course to `folder`, with a stand-in for MathJax and a site that was built before."""
    import formulas

    fresh_copy(folder)
    mathjax = folder / "node_modules" / formulas.MATHJAX
    mathjax.parent.mkdir(parents=True)
    mathjax.write_text(MATHJAX)
    (folder / "site" / "netron").mkdir(parents=True)
    for page in ("netron/index.html", "index.html"):
        (folder / "site" / page).write_text(OLD)
    return folder


def build(course):
    """Build the site of such a copy; return its folder."""
    import build_site

    build_site.build(course, course / "node_modules", course / "site")
    return course / "site"
