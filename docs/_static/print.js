// Paper is light: a dark page is printed with the colours of the light one.

const { dataset } = document.documentElement;
let shown = dataset.theme;

matchMedia("print").addEventListener("change", ({ matches }) => {
  if (matches) shown = dataset.theme;
  dataset.theme = matches ? "light" : shown;
});
