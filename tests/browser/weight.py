"""What a page weighs over the wire, and how far its parts move while it comes."""

from tests.browser.visit import OPEN_ANSWERS

MOST = 300_000  # bytes, headers and compression included
FIRST = 240_000  # before the visitor scrolls
SHIFT = 0.05
WATCH = """() => {
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
}"""
# Down in steps that are shorter than the window, so that all pictures are loaded, and back: as a reader does, for
# whom a widget is ready (its picture is gone) before it comes into view; on a busy machine it could come late, and move
SCROLL = """async () => {
    const drawn = () => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
    const isNear = (box) => box.top < innerHeight + 600 && box.bottom > -600;
    const asleep = () => [...document.querySelectorAll(".widget:has(img[data-src]:not([src]))")]
        .some((widget) => isNear(widget.getBoundingClientRect()));
    const end = performance.now() + 60_000;
    for (let y = 0; y < document.documentElement.scrollHeight; y += 500) {
        scrollTo({ top: y, behavior: "instant" });
        do await drawn(); while (asleep() && performance.now() < end);
    }
    scrollTo({ top: 0, behavior: "instant" });
    await drawn();
}"""


class Scales:
    """Adds up the bytes of all answers that a page gets, without Netron, which is a page of its own in two chapters."""

    def __init__(self, page):
        self.urls, self.bytes = {}, {}
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.responseReceived", self.came)
        session.on("Network.loadingFinished", self.ended)

    def came(self, event):
        self.urls[event["requestId"]] = event["response"]["url"]

    def ended(self, event):
        if "/netron/" not in self.urls.get(event["requestId"], ""):
            self.bytes[event["requestId"]] = event["encodedDataLength"]

    def total(self):
        return sum(self.bytes.values())

    def heaviest(self):
        ordered = sorted(self.bytes.items(), key=lambda item: -item[1])[:8]
        return "\n".join(f"{size:>7} {self.urls.get(name, '')}" for name, size in ordered)


def opened(visit, path):
    """Open a page while its bytes and shifts are counted; return the page and the scales."""
    page = visit.new_page()
    scales = Scales(page)
    page.add_init_script(f"({WATCH})()")
    page.goto(visit.site + path)
    visit.settle()
    return page, scales


def load_all(visit):
    """Open all answers and scroll to the end and back, until all that comes late is there."""
    visit.page.evaluate(OPEN_ANSWERS)
    visit.page.evaluate(SCROLL)
    visit.page.wait_for_function("[...document.images].every((image) => image.complete)")
    visit.settle()
