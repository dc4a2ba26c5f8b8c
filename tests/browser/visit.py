"""One visitor in a browser of its own, and what it has to complain about."""

from mnist_helpers._support.paths import COURSE as ROOT

AXE = ROOT / ".venv" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
LONGEST = 120_000  # milliseconds, for pages that hang, not for slow machines
SCREENSHOTS = ROOT / "artifacts" / "screenshots"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
IMAGES = "[...document.images].map(image => ({ alt: image.getAttribute('alt'), src: image.getAttribute('src') }))"
OPEN_ANSWERS = "document.querySelectorAll('details').forEach((answer) => (answer.open = true))"
HEADINGS = """[...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
    .filter(heading => heading.checkVisibility()).map(heading => Number(heading.tagName[1]))"""

# What is wider than the sheet, or cut off by its own frame
CUT_OFF = """() => [...document.querySelectorAll("article *, body > main *")].filter((element) => {
    const box = element.getBoundingClientRect();
    if (!element.checkVisibility() || !box.width || element.closest("svg, math")) return false;
    const clipped = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline"
        && getComputedStyle(element).overflowX !== "visible";
    return clipped || box.right > innerWidth + 1;
}).map((element) => element.outerHTML.slice(0, 120))"""
HIDDEN = """() => [...document.querySelectorAll("details.prediction > :not(summary)")]
    .filter((element) => !element.checkVisibility({ contentVisibilityAuto: true }))
    .map((element) => element.textContent.slice(0, 80))"""


class Visit:
    """A fresh browser context, `width` pixels wide, that notes every error and every request that fails or leaves."""

    def __init__(self, browser, site: str, width: int = 1280, **options):
        self.site, self.troubles = site, []
        height = 900 if width > 500 else 844
        options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"} | options
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(LONGEST)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()

    def open(self, path: str, wait_until: str = "networkidle"):
        """Open a page of the site and wait, as a rule until the network is silent."""
        self.page = self.context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.note("console", message.text))
        self.page.on("pageerror", lambda error: self.note("script", error))
        self.page.on("requestfailed", self.lost)
        self.page.on("response", lambda answer: answer.status >= 400 and self.note(answer.status, answer.url))
        self.page.on("request", lambda request: self.foreign(request.url) and self.note("foreign", request.url))
        self.page.goto(self.site + path, wait_until=wait_until)
        return self.page

    def lost(self, request):
        """Note a request that got no answer, unless the page itself gave it up, as for a picture that it hides."""
        if "ERR_ABORTED" not in (request.failure or ""):
            self.note("failed", request.url)

    def foreign(self, url: str) -> bool:
        return not url.startswith((self.site, "data:", f"blob:{self.site}"))

    def note(self, kind, what) -> None:
        self.troubles.append(f"{kind}: {what}")

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def axe_findings(self) -> list[str]:
        """What axe-core finds at WCAG 2.2 A and AA: a line each, with the rule and the first place."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.add_style_tag(content="* { transition: none !important }")  # colours half-way have no contrast
            self.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("rules => axe.run(document, { runOnly: { type: 'tag', values: rules } })", RULES)
        return [f"{v['id']} ({len(v['nodes'])}): {v['nodes'][0]['html'][:200]}" for v in found["violations"]]
