"""One visitor in a browser of its own, and what it has to complain about."""

import os
import time

from mnist_helpers._support.paths import COURSE as ROOT

AXE = ROOT / ".venv" / "npm" / "node_modules" / "axe-core" / "axe.min.js"
LONGEST = 120_000  # milliseconds, for pages that hang, not for slow machines
SCREENSHOTS = ROOT / "artifacts" / "screenshots"
# Rules of axe-core: all of WCAG 2.2 A and AA; all but contrasts, which take longest; of colours
ALL = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
BUT_CONTRASTS = ALL | {"rules": {"color-contrast": {"enabled": False}}}
COLOURS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
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
RUN_AXE = """async (rules) => {
    const found = await axe.run(WHERE, { ...rules, resultTypes: ["violations"], iframes: false });
    return found.violations;
}"""
# Of all elements with words in the same letters on the same paper, the last one
ONE_OF_EACH = """(() => {
    const found = new Map();
    const paper = (element) => {
        const { backgroundColor } = getComputedStyle(element);
        const clear = /^rgba\\(.*, 0\\)$/.test(backgroundColor) && element.parentElement;
        return clear ? paper(element.parentElement) : backgroundColor;
    };
    for (const element of document.body.querySelectorAll("*")) {
        const hasWords = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!hasWords || !element.checkVisibility()) continue;
        const { color, fontSize, fontWeight, opacity } = getComputedStyle(element);
        found.set([element.localName, color, fontSize, fontWeight, opacity, paper(element)].join(), element);
    }
    return { include: [...found.values()] };
})()"""


class Visit:
    """A fresh browser context, `width` pixels wide, that notes every error and every request that fails or leaves."""

    def __init__(self, browser, site: str, width: int = 1280, **options):
        self.site, self.troubles, self.waited_for = site, [], set()
        height = 900 if width > 500 else 844
        options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"} | options
        self.context = browser.new_context(**options)
        self.context.set_default_timeout(LONGEST)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.context.close()

    def open(self, path: str, wait_until: str = "load"):
        """Open a page of the site and wait, as a rule until it is loaded; what comes later, the caller waits for."""
        page = self.new_page()
        page.goto(self.site + path, wait_until=wait_until)
        return page

    def new_page(self):
        """Return an empty page, whose errors and requests are noted."""
        self.page = self.context.new_page()
        self.page.on("console", lambda message: message.type == "error" and self.note("console", message.text))
        self.page.on("pageerror", lambda error: self.note("script", error))
        self.page.on("response", lambda answer: answer.status >= 400 and self.note(answer.status, answer.url))
        self.page.on("request", self.asked)
        self.page.on("requestfinished", lambda request: self.waited_for.discard(request))
        self.page.on("requestfailed", self.lost)
        return self.page

    def settle(self) -> None:
        """Wait until every request has its answer, and no new one comes in three looks."""
        looks, end = 0, time.monotonic() + LONGEST / 1000
        while looks < 3 and time.monotonic() < end:
            self.page.wait_for_timeout(40)
            looks = 0 if self.waited_for else looks + 1
        self.troubles += [f"no answer: {request.url}" for request in self.waited_for]

    def expect_quiet(self) -> None:
        """Let what is under way come to its end; nothing may be wrong with it, or have been before."""
        self.settle()
        assert self.troubles == []

    def asked(self, request):
        """Expect an answer to a request, and note it if it leaves the site."""
        self.waited_for.add(request)
        if self.foreign(request.url):
            self.note("foreign", request.url)

    def lost(self, request):
        """Note a request that got no answer, unless the page itself gave it up, as for a picture that it hides."""
        self.waited_for.discard(request)
        if "ERR_ABORTED" not in (request.failure or ""):
            self.note("failed", request.url)

    def foreign(self, url: str) -> bool:
        return not url.startswith((self.site, "data:", f"blob:{self.site}"))

    def note(self, kind, what) -> None:
        self.troubles.append(f"{kind}: {what}")

    def screenshot(self, name: str) -> None:
        """Take a picture for people: where CI is set, which keeps them, or SCREENSHOTS is."""
        if not (os.environ.get("CI") or os.environ.get("SCREENSHOTS")):
            return
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def axe_findings(self, rules=ALL, where: str = "document") -> list[str]:
        """What axe-core finds: a line each, with the rule and the first place."""
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.add_style_tag(content="* { transition: none !important }")  # colours half-way have no contrast
            self.page.add_script_tag(content=AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(RUN_AXE.replace("WHERE", where), rules)
        return [f"{v['id']} ({len(v['nodes'])}): {v['nodes'][0]['html'][:200]}" for v in found]

    def colour_findings(self) -> list[str]:
        """What axe-core finds wrong with colours, in one element of each look: much faster than in all of them."""
        return self.axe_findings(COLOURS, ONE_OF_EACH)
