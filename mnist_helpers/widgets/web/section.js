/** The section around a widget, with its name for screen readers. */

/** Put a section with the name `label` into `element`, in place of what is there, and return it. */
export function createSection(element, className, label, body) {
  const section = document.createElement("section");
  section.className = className;
  section.setAttribute("aria-label", label);
  section.dataset.lmSuppressShortcuts = "true"; // in JupyterLab, a key must not do two things
  section.innerHTML = body;
  element.replaceChildren(section);
  return section;
}
