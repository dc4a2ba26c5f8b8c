/** Open a picture as mnist_helpers/image_files.py does: turned as the camera was held, and in the clearest colour. */

import { MIN_CONTRAST, quantile } from "./segment.js";

const MAX_SIDE = 800; // pixels; larger photos are reduced

/**
 * Return {canvas, grey: Uint8Array, height, width} of an image file or blob. Transparent parts are white paper, or
 * black if there is no contrast on white. Rejects if the browser cannot open the file.
 */
export async function openPicture(file) {
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const onWhite = onPaper(bitmap, "#fff");
  const clear = onWhite.contrast >= MIN_CONTRAST ? onWhite : onPaper(bitmap, "#000");
  bitmap.close();
  return clear;
}

/** Draw a bitmap on paper, and take the colour channel with the most contrast. */
function onPaper(bitmap, paper) {
  const scale = Math.min(1, MAX_SIDE / Math.max(bitmap.width, bitmap.height));
  const [width, height] = [bitmap.width, bitmap.height].map((length) => Math.max(1, Math.round(length * scale)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  Object.assign(context, { fillStyle: paper, imageSmoothingQuality: "high" });
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const channels = [0, 1, 2].map((channel) => channelOf(data, channel));
  const contrasts = channels.map((values) => contrastOf(values, width));
  const contrast = Math.max(...contrasts);
  return { canvas, width, height, contrast, grey: channels[contrasts.indexOf(contrast)] };
}

/** Return one of the four channels of RGBA values. */
function channelOf(rgba, channel) {
  const values = new Uint8Array(rgba.length / 4);
  for (let place = 0; place < values.length; place++) values[place] = rgba[4 * place + channel];
  return values;
}

/** Return the range of the values of every second pixel in every second row, without the extreme ones. */
function contrastOf(values, width) {
  const sample = [];
  for (let first = 0; first < values.length; first += 2 * width) {
    for (let column = 0; column < width; column += 2) sample.push(values[first + column]);
  }
  const sorted = Uint8Array.from(sample).sort();
  return quantile(sorted, 0.999) - quantile(sorted, 0.001);
}
