// Show what a term of the glossary means while the pointer or the keyboard's focus is on its link; Escape hides it.

const LINKS = "a:has(> .glossary-link)";
const ID = "term-meaning";
const pages = new Map(); // each glossary page that was read, by its address

function readPage(url) {
  const address = url.split("#")[0];
  if (!pages.has(address)) {
    const page = fetch(address).then((answer) => (answer.ok ? answer.text() : Promise.reject(answer.status)));
    pages.set(address, page.then((text) => new DOMParser().parseFromString(text, "text/html")));
  }
  return pages.get(address);
}

// The words of an entry, without the sentence that says where it was introduced; several terms may share one entry
async function meaningOf(link) {
  const page = await readPage(link.href);
  let entry = page.getElementById(decodeURIComponent(new URL(link.href).hash.slice(1)));
  while (entry && entry.tagName !== "DD") entry = entry.nextElementSibling;
  const words = entry?.querySelector("p")?.textContent.replace(/\s+/g, " ");
  return words?.replace(/ [A-Z]\w+( first)? in chapter \d+\.\s*$/, "");
}

const explainedLink = () => document.querySelector(`[aria-describedby="${ID}"]`);

function hide() {
  document.getElementById(ID)?.remove();
  explainedLink()?.removeAttribute("aria-describedby");
}

function place(box, link) {
  const rect = link.getClientRects()[0];
  const left = Math.min(rect.left, document.documentElement.clientWidth - box.offsetWidth - 8);
  const below = rect.bottom + 6 + box.offsetHeight < innerHeight;
  box.style.left = `${Math.max(8, left) + scrollX}px`;
  box.style.top = `${(below ? rect.bottom + 4 : rect.top - box.offsetHeight - 4) + scrollY}px`;
}

async function show(link) {
  const meaning = await meaningOf(link).catch(() => null);
  if (!meaning || !link.matches(":hover, :focus-visible")) return;
  hide();
  const box = Object.assign(document.createElement("div"), { id: ID, role: "tooltip", textContent: meaning });
  document.body.append(box);
  box.addEventListener("mouseleave", hideSoon);
  link.setAttribute("aria-describedby", ID);
  place(box, link);
}

// The pointer may move into the box, to read it at ease
function hideSoon() {
  setTimeout(() => {
    if (!explainedLink()?.matches(":hover, :focus-visible") && !document.querySelector(`#${ID}:hover`)) hide();
  }, 150);
}

export function explainTerms() {
  for (const link of document.querySelectorAll(LINKS)) {
    for (const event of ["mouseenter", "focus"]) link.addEventListener(event, () => show(link));
    for (const event of ["mouseleave", "blur"]) link.addEventListener(event, hideSoon);
  }
  addEventListener("keydown", (event) => event.key === "Escape" && hide());
}
