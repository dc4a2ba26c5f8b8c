/** The texts for people. Python collects the first argument of each call of `text`, which must be one string. */

import translations from "./translations.js";

/** Return a text in the reader's language, with `values` in place of its {names}. */
export function text(english, values = {}) {
  const found = translations[english] ?? english;
  return found.replace(/\{(\w+)\}/g, (braces, name) => values[name] ?? braces);
}
