// Sliders below a picture: the values of the sliders go to Python, which sends the picture drawn with them.
function addSlider(model, el, { name, values }) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const output = document.createElement("output");
  label.style.cssText = "display: flex; gap: 0.8em; align-items: center; max-width: 36em";
  input.style.flex = "1";
  const caption = document.createElement("span");
  caption.textContent = name.replaceAll("_", " ");
  caption.style.minWidth = "8em";
  Object.assign(input, { type: "range", min: 0, max: values.length - 1, step: 1 });
  input.value = values.indexOf(model.get("values")[name]);
  output.textContent = values[input.value];
  output.style.minWidth = "4em";
  input.addEventListener("input", () => {
    output.textContent = values[input.value];
    model.set("values", { ...model.get("values"), [name]: values[input.value] });
    model.save_changes();
  });
  label.append(caption, input, output);
  el.append(label);
}

function render({ model, el }) {
  const picture = document.createElement("img");
  const message = document.createElement("p");
  const show = () => {
    picture.src = `data:image/png;base64,${model.get("picture")}`;
    picture.alt = `The figure for ${JSON.stringify(model.get("values"))}`;
    message.textContent = model.get("message");
  };
  picture.style.maxWidth = "100%";
  message.setAttribute("role", "status");
  el.append(picture);
  for (const slider of model.get("sliders")) addSlider(model, el, slider);
  el.append(message);
  model.on("change:picture change:message", show);
  show();
}

export default { render };
