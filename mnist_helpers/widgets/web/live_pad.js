/** The network at work as an anywidget: it gets a network that was just trained, and runs it in the page. */

import { buildNetwork } from "./layers.js";
import { mount } from "./live.js";

export default {
  render({ model, el }) {
    const { buffer, byteOffset, byteLength } = model.get("weights");
    const numbers = new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
    return mount(el, buildNetwork(model.get("description"), numbers), { example: 7 });
  },
};
