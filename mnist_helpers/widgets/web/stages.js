/**
 * The stages of a network, and where one number of a stage comes from.
 *
 * A stage begins with a convolution or a linear layer, and ends before the next one. `maps` are those of `mapsOf` in
 * layers.js: maps[n] is the input of layer n.
 */

/** Return the stages {first, last, kind, count}: numbers of their layers, and how many maps they make. */
export function stagesOf({ layers }) {
  const firsts = [...layers.keys()].filter((n) => ["conv", "dense"].includes(layers[n].kind));
  return firsts.map((first, n) => {
    const last = (firsts[n + 1] ?? layers.length) - 1;
    return { first, last, kind: layers[first].kind, count: layers[first].shape[0] };
  });
}

/** Return the maps that a stage hands on. */
export function outputOf(stage, maps) {
  return maps[stage.last + 1];
}

/**
 * Return where the value at [row, column] of a map of a convolutional stage comes from: {size of the filter,
 * place: [row, column] of the patch, inputs: for each input map {patch, filter, products, sum}, bias, total: their sum,
 * pooled: the sums of which it is the largest, scale: [factor, summand] of a batch normalisation or null, value: what
 * the stage hands on, largest: the absolute values that no patch, filter or product of this stage exceeds}.
 */
export function originOf({ layers }, maps, stage, channel, [row, column]) {
  const { shape, weights, bias } = layers[stage.first];
  const [size, sums] = [shape[2], maps[stage.first + 1]];
  const pooled = squareOf(sums, channel, [row, column], poolOf(layers, stage));
  const { place, value: total } = pooled.reduce((best, one) => (one.value > best.value ? one : best));
  const inputs = Array.from({ length: shape[1] }, (_, input) => {
    const first = (channel * shape[1] + input) * size * size;
    return productsOf(patchAt(maps[stage.first], input, place, size), weights.subarray(first, first + size * size));
  });
  return {
    size,
    place,
    inputs,
    bias: bias[channel],
    total,
    pooled: pooled.map((one) => one.value),
    scale: scaleOf(layers, stage, channel),
    value: valueAt(outputOf(stage, maps), channel, [row, column]),
    largest: largestOf(maps[stage.first], weights),
  };
}

/** Return the side of the squares of which a stage keeps the largest value: 1 if it has no pooling. */
function poolOf(layers, stage) {
  return layerOf("pool", layers, stage)?.size ?? 1;
}

function scaleOf(layers, stage, channel) {
  const layer = layerOf("scale", layers, stage);
  return layer ? [layer.weights[channel], layer.bias[channel]] : null;
}

function layerOf(kind, layers, stage) {
  return layers.slice(stage.first, stage.last + 1).find((layer) => layer.kind === kind);
}

function largestOf({ values }, weights) {
  const [patch, filter] = [values, weights].map((all) => all.reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  return { patch, filter, products: patch * filter };
}

function squareOf(maps, channel, [row, column], side) {
  return Array.from({ length: side * side }, (_, n) => {
    const place = [row * side + Math.floor(n / side), column * side + (n % side)];
    return { place, value: valueAt(maps, channel, place) };
  });
}

function valueAt({ height, width, values }, channel, [row, column]) {
  return values[(channel * height + row) * width + column];
}

function patchAt(maps, channel, [top, left], size) {
  return Array.from({ length: size * size }, (_, n) =>
    valueAt(maps, channel, [top + Math.floor(n / size), left + (n % size)]),
  );
}

function productsOf(patch, filter) {
  const products = patch.map((value, n) => value * filter[n]);
  return { patch, filter: [...filter], products, sum: products.reduce((a, b) => a + b) };
}
