// The networks of the tutorial, computed in the page: what Keras does in `predict`, for one image.
// The weights come from networks.js, which tools/export_networks.py writes.
//
// Between the layers goes a tensor, { shape, data }. All its numbers lie in one Float32Array, the
// last axis running fastest: row by row, in a row pixel by pixel, of a pixel channel by channel.

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

// Each kernel is laid over each place of the image; what lies on one another is multiplied and
// summed. Of the patch below a kernel only what is not zero is taken: paper, what ReLU has cut
// off and what lies beyond the edge add nothing.
//
// Four kernels at a time, because each value is then fetched once for all four. Where their number
// is not a multiple of four, the last sums belong to no kernel: they are written where the results
// of the next place come, which overwrite them.
function convolve(image, { kernel, bias, strides, padding }) {
  const [height, width, channels] = image.shape;
  const [kernelHeight, kernelWidth, , filters] = kernel.shape;
  const down = steps(height, kernelHeight, strides[0], padding);
  const right = steps(width, kernelWidth, strides[1], padding);
  const weights = kernel.data;
  const output = new Float32Array(down.count * right.count * filters);
  // The patch: its values, and for each the place of its first weight.
  const values = new Float64Array(kernelHeight * kernelWidth * channels);
  const places = new Int32Array(values.length);
  for (let row = 0; row < down.count; row++) {
    for (let column = 0; column < right.count; column++) {
      let size = 0;
      for (let i = 0; i < kernelHeight; i++) {
        const y = row * strides[0] - down.before + i;
        if (y < 0 || y >= height) continue;
        for (let j = 0; j < kernelWidth; j++) {
          const x = column * strides[1] - right.before + j;
          if (x < 0 || x >= width) continue;
          for (let channel = 0; channel < channels; channel++) {
            const value = image.data[(y * width + x) * channels + channel];
            if (value === 0) continue;
            values[size] = value;
            places[size] = ((i * kernelWidth + j) * channels + channel) * filters;
            size++;
          }
        }
      }
      const start = (row * right.count + column) * filters;
      for (let k = 0; k < filters; k += 4) {
        let a = bias.data[k];
        let b = bias.data[k + 1];
        let c = bias.data[k + 2];
        let d = bias.data[k + 3];
        for (let n = 0; n < size; n++) {
          const value = values[n];
          const place = places[n] + k;
          a += value * weights[place];
          b += value * weights[place + 1];
          c += value * weights[place + 2];
          d += value * weights[place + 3];
        }
        output[start + k] = a;
        output[start + k + 1] = b;
        output[start + k + 2] = c;
        output[start + k + 3] = d;
      }
    }
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

function pool(image, { size, strides }) {
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
  const output = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) if (data[i] > 0) output[i] = data[i];
  return { shape, data: output };
}

function softmax({ shape, data }) {
  const highest = Math.max(...data); // taken off, so that no power overflows
  const powers = data.map((value) => Math.exp(value - highest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return { shape, data: powers.map((power) => power / sum) };
}

// A network of networks.js, its weights taken out of their text: base64 of float32 numbers, the
// lowest byte first, in the order in which the layers name them.
function unpack({ layers, weights }) {
  const bytes = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
  const numbers = new Float32Array(bytes.buffer);
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
  unpack(network),
]);

// What each network says of an image, 784 numbers from 0 to 255 row by row: ten probabilities by
// the network's name. A network that the page does not have is not in the answer.
export function answer(pixels) {
  if (pixels.length !== 784) throw new Error(`expected 784 pixels, got ${pixels.length}`);
  const image = { shape: [28, 28], data: new Float32Array(pixels) };
  return Object.fromEntries(
    networks.map(([name, layers]) => {
      const last = layers.reduce((tensor, layer) => LAYERS[layer.type](tensor, layer), image);
      return [name, Array.from(last.data)];
    }),
  );
}
