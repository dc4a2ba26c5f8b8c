/**
 * The layers of a network in plain JavaScript: convolution, ReLU, pooling, linear layers, softmax.
 *
 * A network is what mnist_helpers/layers.py describes, with the weights in each layer. Maps are
 * {channels, height, width, values: Float32Array}, channel by channel in row-major order; a list of ten logits has
 * height and width 1.
 */

const SIDE = 28;

/** Join a description and all weights, a Float32Array, into a network. */
export function buildNetwork(description, numbers) {
  let used = 0;
  const take = (count) => numbers.subarray(used, (used += count));
  const filled = (layer) => {
    if (!layer.shape && !layer.channels) return layer;
    const [outputs, ...inputs] = layer.shape ?? [layer.channels];
    return { ...layer, weights: take(inputs.reduce((a, b) => a * b, outputs)), bias: take(outputs) };
  };
  return { ...description, layers: description.layers.map(filled) };
}

/** Return the numbers that are stored in half precision in an ArrayBuffer. */
export function fromHalves(buffer) {
  return Float32Array.from(new Uint16Array(buffer), fromHalf);
}

/** Return the number that 16 bits stand for: one for the sign, 5 for the exponent, 10 for the fraction. */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1;
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Return ten probabilities for a picture of 28x28 pixels in 0..255, as the mean over the network's shifted copies. */
export function probabilitiesOf(network, picture) {
  const rows = network.shifts.map((shift) => softmax(logitsOf(network, inputOf(network, picture, shift))));
  const mean = rows[0].map((_, digit) => rows.reduce((sum, row) => sum + row[digit], 0) / rows.length);
  if (network.temperature === 1) return mean;
  return softmax(mean.map((probability) => Math.log(Math.max(probability, 1e-37)) / network.temperature));
}

/** Return the maps after each layer for the unshifted picture, beginning with the input. */
export function mapsOf(network, picture) {
  return mapsOfImage(network, inputOf(network, picture));
}

/** Return the maps after each layer for an input as it is, beginning with the input. */
export function mapsOfImage({ layers }, input) {
  return layers.reduce((maps, layer) => [...maps, applied(layer, maps.at(-1))], [input]);
}

/** Return the ten logits for maps that are the network's input. */
export function logitsOf(network, input) {
  return network.layers.reduce((maps, layer) => applied(layer, maps), input).values;
}

/** Return the network's input for a picture whose upper left pixel is the one at `shift`, [row, column]. */
export function inputOf({ scale, offset }, picture, [down, right] = [0, 0]) {
  const values = new Float32Array(SIDE * SIDE).fill(offset);
  for (let row = Math.max(0, -down); row < Math.min(SIDE, SIDE - down); row++) {
    for (let column = Math.max(0, -right); column < Math.min(SIDE, SIDE - right); column++) {
      values[row * SIDE + column] = scale * picture[(row + down) * SIDE + column + right] + offset;
    }
  }
  return { channels: 1, height: SIDE, width: SIDE, values };
}

export function softmax(logits) {
  const largest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}

const APPLIED = { conv: convolved, pool: pooled, relu: rectified, scale: scaled, dense: combined };

function applied(layer, maps) {
  return APPLIED[layer.kind](maps, layer);
}

/** Convolve: each output is the sum of the products of a filter and the patch under it. Four patches at a time are faster. */
function convolved(maps, { shape: [channels, , size], weights, bias }) {
  const [height, width] = [maps.height - size + 1, maps.width - size + 1];
  const [count, length] = [height * width, maps.channels * size * size];
  const patches = patchesOf(maps, size, height, width);
  const values = new Float32Array(channels * count + 3);
  for (let channel = 0; channel < channels; channel++) {
    for (let place = 0; place < count; place += 4) {
      let [at, end] = [channel * length, (channel + 1) * length];
      let a = bias[channel];
      let [b, c, d] = [a, a, a];
      for (let patch = place * length; at < end; at++, patch++) {
        const weight = weights[at];
        a += weight * patches[patch];
        b += weight * patches[patch + length];
        c += weight * patches[patch + 2 * length];
        d += weight * patches[patch + 3 * length];
      }
      const target = channel * count + place; // the next channel overwrites what is too much
      values[target] = a;
      values[target + 1] = b;
      values[target + 2] = c;
      values[target + 3] = d;
    }
  }
  return { channels, height, width, values: values.subarray(0, channels * count) };
}

/** Return the patches under a filter, one after the other, with three empty ones at the end. */
function patchesOf({ channels, height: rows, width: columns, values }, size, height, width) {
  const patches = new Float32Array((height * width + 3) * channels * size * size);
  let end = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      for (let channel = 0; channel < channels; channel++) {
        for (let down = 0; down < size; down++) {
          const first = (channel * rows + row + down) * columns + column;
          for (let right = 0; right < size; right++) patches[end++] = values[first + right];
        }
      }
    }
  }
  return patches;
}

/** Keep the largest value of each square of `size` times `size`. */
function pooled({ channels, height: rows, width: columns, values: before }, { size }) {
  const [height, width] = [Math.floor(rows / size), Math.floor(columns / size)];
  const values = new Float32Array(channels * height * width).fill(-Infinity);
  for (let line = 0; line < channels * height; line++) {
    const top = (Math.floor(line / height) * rows + (line % height) * size) * columns;
    for (let down = 0; down < size; down++) {
      for (let column = 0; column < width * size; column++) {
        const [target, value] = [line * width + Math.floor(column / size), before[top + down * columns + column]];
        if (value > values[target]) values[target] = value;
      }
    }
  }
  return { channels, height, width, values };
}

function rectified(maps) {
  return { ...maps, values: maps.values.map((value) => Math.max(value, 0)) };
}

/** Multiply each channel by a factor and add a number, as batch normalisation does in a trained network. */
function scaled(maps, { weights, bias }) {
  const [values, area] = [maps.values.slice(), maps.height * maps.width];
  for (let place = 0; place < values.length; place++) {
    const channel = Math.floor(place / area);
    values[place] = weights[channel] * values[place] + bias[channel];
  }
  return { ...maps, values };
}

/** Return linear combinations of all values. */
function combined(maps, { shape: [channels, inputs], weights, bias }) {
  const sumFor = (output) => maps.values.reduce((sum, value, n) => sum + value * weights[output * inputs + n], bias[output]);
  return { channels, height: 1, width: 1, values: Float32Array.from({ length: channels }, (_, output) => sumFor(output)) };
}
