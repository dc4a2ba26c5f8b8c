/** Sliders below a picture: each move sends the values of all sliders to Python, which answers with the new picture. */

import { text } from "./text.js";

function createSlider({ name, values, start }, onMove) {
  const label = document.createElement("label");
  const caption = document.createElement("span");
  const input = document.createElement("input");
  const output = document.createElement("output");
  label.style.cssText = "display: flex; gap: 0.8em; align-items: center; max-width: 36em";
  caption.style.minWidth = "8em";
  input.style.flex = "1";
  output.style.minWidth = "4em";
  caption.textContent = name.replaceAll("_", " ");
  Object.assign(input, { type: "range", min: 0, max: values.length - 1, step: 1 });
  input.value = values.indexOf(start);
  output.textContent = start;
  input.addEventListener("input", () => {
    output.textContent = values[input.value];
    onMove(name, values[input.value]);
  });
  label.append(caption, input, output);
  return label;
}

function render({ model, el }) {
  const picture = document.createElement("img");
  const message = document.createElement("p");
  const state = { values: {}, shown: false, waiting: false, moved: false };

  // While Python draws, only the last move is kept: a slow computer does not fall behind
  function ask() {
    state.moved = state.waiting;
    if (state.waiting) return;
    state.waiting = true;
    model.send({ values: state.values });
  }

  function showSliders(sliders) {
    for (const slider of sliders) {
      state.values[slider.name] = slider.start;
      const onMove = (name, value) => {
        state.values[name] = value;
        ask();
      };
      el.insertBefore(createSlider(slider, onMove), message);
    }
  }

  function answer(content, buffers) {
    if (!state.shown) showSliders(content.sliders);
    state.shown = true;
    state.waiting = false;
    message.textContent = content.message;
    if (buffers.length) {
      URL.revokeObjectURL(picture.src);
      picture.src = URL.createObjectURL(new Blob([buffers[0]], { type: "image/png" }));
      picture.alt = text("The figure for {title}", { title: content.title });
    }
    if (state.moved) ask();
  }

  picture.style.maxWidth = "100%";
  message.setAttribute("role", "status");
  el.append(picture, message);
  model.on("msg:custom", answer);
  ask();
  return () => {
    model.off("msg:custom", answer);
    URL.revokeObjectURL(picture.src);
  };
}

export default { render };
