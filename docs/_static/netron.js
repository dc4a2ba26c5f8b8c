// Open a file of the visitor in the page's Netron, by passing it to Netron's file dialog.

const FIRST_BYTE = 8; // the first byte of an ONNX file: the tag of the field ir_version

for (const box of document.querySelectorAll(".netron")) {
  const [frame, input, status] = ["iframe", "input", "[role=status]"].map((name) => box.querySelector(name));
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (!file) return;
    const [first] = new Uint8Array(await file.slice(0, 1).arrayBuffer());
    const refused = first !== FIRST_BYTE;
    status.textContent = refused ? `${file.name} is no ONNX file; choose one that an exporter has written.` : "";
    if (!refused) open(frame, input.files);
  });
}

async function open(frame, files) {
  frame.src = new URL("../netron/index.html", import.meta.url).href; // without a model, Netron shows its welcome page
  await new Promise((loaded) => frame.addEventListener("load", loaded, { once: true }));
  const { body } = frame.contentDocument;
  const waits = () => body.classList.contains("welcome") && !body.classList.contains("spinner");
  while (!waits()) {
    await new Promise((again) => setTimeout(again, 50));
  }
  const dialog = frame.contentDocument.getElementById("open-file-dialog");
  dialog.files = files;
  dialog.dispatchEvent(new Event("change"));
}
