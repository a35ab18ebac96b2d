// The networks of the tutorial, computed in the page: what Keras does in `predict`, for one image.
// The weights stand before it in the page: networks.js, which tools/site/export.py writes.
//
// Between the layers goes a tensor, { shape, data }. All its numbers lie in one Float32Array, the
// last axis running fastest: row by row, in a row pixel by pixel, of a pixel channel by channel.

const NETWORK_NAMES = { dense: "dense network", cnn: "CNN", compact: "compact network" };
const LAYERS = {
  Rescaling: ({ shape, data }, { scale, offset }) => ({
    shape,
    data: data.map((value) => value * scale + offset),
  }),
  Reshape: ({ data }, { shape }) => ({ shape, data }),
  Flatten: ({ data }) => ({ shape: [data.length], data }),
  Conv2D: convolve,
  BatchNormalization: normalise,
  MaxPooling2D: pool,
  Dense: connect,
  ReLU: cutOff,
  Softmax: softmax,
};

// Every kernel is laid over every position of the image; what lies on one another is multiplied
// and summed. What is zero adds nothing and is skipped: paper, what ReLU has cut off, and what
// lies beyond the edge.
function convolve(image, { kernel, bias, strides, padding }) {
  const [height, width] = image.shape;
  const [kernelHeight, kernelWidth, channels, filters] = kernel.shape;
  const down = steps(height, kernelHeight, strides[0], padding);
  const right = steps(width, kernelWidth, strides[1], padding);
  const output = new Float32Array(down.count * right.count * filters);
  const sums = new Float64Array(filters); // of one position
  for (let position = 0; position < down.count * right.count; position++) {
    const top = Math.floor(position / right.count) * strides[0] - down.before;
    const left = (position % right.count) * strides[1] - right.before;
    sums.set(bias.data);
    for (let i = Math.max(0, -top); i < Math.min(kernelHeight, height - top); i++) {
      for (let j = Math.max(0, -left); j < Math.min(kernelWidth, width - left); j++) {
        for (let channel = 0; channel < channels; channel++) {
          const value = image.data[((top + i) * width + left + j) * channels + channel];
          if (value === 0) continue;
          const first = ((i * kernelWidth + j) * channels + channel) * filters;
          for (let filter = 0; filter < filters; filter++) {
            sums[filter] += value * kernel.data[first + filter];
          }
        }
      }
    }
    output.set(sums, position * filters);
  }
  return { shape: [down.count, right.count, filters], data: output };
}

// How often a kernel fits along a side, and how many zeros lie before the first pixel.
function steps(length, size, stride, padding) {
  if (padding === "valid") return { count: Math.floor((length - size) / stride) + 1, before: 0 };
  const count = Math.ceil(length / stride);
  const zeros = Math.max((count - 1) * stride + size - length, 0);
  return { count, before: Math.floor(zeros / 2) };
}

// What is left of batch normalisation once the training is over: a factor and a shift a channel.
function normalise({ shape, data }, { scale, offset }) {
  const channels = scale.data.length;
  const scaled = data.map(
    (value, i) => value * scale.data[i % channels] + offset.data[i % channels],
  );
  return { shape, data: scaled };
}

function pool(image, { pool_size: size, strides }) {
  const [height, width, channels] = image.shape;
  const rows = steps(height, size[0], strides[0], "valid").count;
  const columns = steps(width, size[1], strides[1], "valid").count;
  const output = new Float32Array(rows * columns * channels).fill(-Infinity);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let i = 0; i < size[0]; i++) {
        for (let j = 0; j < size[1]; j++) {
          const from = ((row * strides[0] + i) * width + column * strides[1] + j) * channels;
          const to = (row * columns + column) * channels;
          for (let channel = 0; channel < channels; channel++) {
            output[to + channel] = Math.max(output[to + channel], image.data[from + channel]);
          }
        }
      }
    }
  }
  return { shape: [rows, columns, channels], data: output };
}

function connect({ data }, { kernel, bias }) {
  const [inputs, units] = kernel.shape;
  const output = bias.data.slice();
  for (let input = 0; input < inputs; input++) {
    const value = data[input];
    if (value === 0) continue;
    for (let unit = 0; unit < units; unit++) {
      output[unit] += value * kernel.data[input * units + unit];
    }
  }
  return { shape: [units], data: output };
}

function cutOff({ shape, data }) {
  return { shape, data: data.map((value) => Math.max(value, 0)) };
}

function softmax({ shape, data }) {
  const highest = Math.max(...data); // taken off, so that no power overflows
  const powers = data.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return { shape, data: powers.map((power) => power / sum) };
}

// A network of networks.js, its weights taken out of their text: base64 of float32 numbers, the
// lowest byte first, in the order in which the layers name them.
function unpackNetwork({ layers, weights }) {
  const numbers = new Float32Array(Uint8Array.from(bytesOf(weights)).buffer);
  let used = 0;
  return layers.map(({ weights: shapes, ...layer }) => {
    for (const [name, shape] of Object.entries(shapes)) {
      const count = shape.reduce((product, length) => product * length, 1);
      layer[name] = { shape, data: numbers.subarray(used, used + count) };
      used += count;
    }
    return layer;
  });
}

const networks = Object.entries(window.mnistTutorialNetworks ?? {}).map(([name, network]) => [
  name,
  unpackNetwork(network),
]);

// What each network says of an image, 784 numbers from 0 to 255 row by row: ten probabilities by
// the network's name. A network that the page does not have is not in the answer.
function answer(pixels) {
  if (pixels.length !== 784) throw new Error(`expected 784 pixels, got ${pixels.length}`);
  const image = { shape: [28, 28], data: new Float32Array(pixels) };
  return Object.fromEntries(
    networks.map(([name, layers]) => {
      const last = layers.reduce((tensor, layer) => LAYERS[layer.type](tensor, layer), image);
      return [name, Array.from(last.data)];
    }),
  );
}

// Which of the tutorial's networks the page does without, in words; empty where it has them all.
function missingNetworks() {
  const there = networks.map(([name]) => name);
  const missing = Object.keys(NETWORK_NAMES).filter((name) => !there.includes(name));
  if (missing.length === 0) return "";
  const names = missing.map((name) => NETWORK_NAMES[name]).join(", ");
  return `Not on this page: ${names}. “make run” trains what is missing and puts it here.`;
}
