// From pen strokes to an image like MNIST's: mnist_helpers/strokes.py in JavaScript. The sums are
// the same in the same order, so the pixels are, too.
//
// An image is { height, width, data }: its pixels row by row, light ink on a background of 0.

const BOX = 20;
const PEN_WIDTH = 2.5; // in pixels of the box
const OVERSAMPLING = 10;

const PEN = PEN_WIDTH / DIGIT_SIDE; // as a fraction of the pad's side

// The 784 pixels, 0 to 255, of a drawing: a list of strokes, each a list of points [x, y] from 0
// to 1. Centred, or as it was drawn. Throws an Error where Python raises ValueError.
function prepareStrokes(strokes, centered = true) {
  const image = centered ? placeByMass(fitInBox(crop(drawLarge(strokes)))) : drawAsIs(strokes);
  return Array.from(image.data);
}

// The four pictures on the way to the centred image, by name.
function preparationSteps(strokes) {
  const cropped = crop(drawLarge(strokes));
  const fitted = fitInBox(cropped);
  return {
    "as drawn": drawAsIs(strokes),
    cropped,
    [`fitted into ${BOX} × ${BOX}`]: fitted,
    [`centred in ${DIGIT_SIDE} × ${DIGIT_SIDE}`]: placeByMass(fitted),
  };
}

// A picture as the kernel sends it to the pad: its pixels in base64.
function asPicture(name, { height, width, data }) {
  const longer = Math.max(height, width);
  const scale = longer <= DIGIT_SIDE ? 1 : BOX / longer;
  // `apply` and not `...`, which is slow for many numbers.
  return { name, height, width, scale, pixels: btoa(String.fromCharCode.apply(null, data)) };
}

// --- from strokes to ink -------------------------------------------------------------------

// The whole pad, shrunk.
function drawAsIs(strokes) {
  const side = DIGIT_SIDE * OVERSAMPLING;
  const lines = checkStrokes(strokes).map((line) => line.map(([x, y]) => [x * side, y * side]));
  const canvas = draw(lines, side);
  const small = image(DIGIT_SIDE, DIGIT_SIDE);
  for (let block = 0; block < DIGIT_SIDE * DIGIT_SIDE; block++) {
    const corner = (Math.floor(block / DIGIT_SIDE) * side + (block % DIGIT_SIDE)) * OVERSAMPLING;
    let sum = 0;
    for (let y = 0; y < OVERSAMPLING; y++) {
      for (let x = 0; x < OVERSAMPLING; x++) sum += canvas.data[corner + y * side + x];
    }
    small.data[block] = roundHalfToEven(sum / OVERSAMPLING ** 2);
  }
  return small;
}

// The drawing fills the box, and only then the pen is put on it.
function drawLarge(strokes) {
  const lines = checkStrokes(strokes);
  const xs = lines.flatMap((line) => line.map(([x]) => x));
  const ys = lines.flatMap((line) => line.map(([, y]) => y));
  const [left, top] = [Math.min(...xs), Math.min(...ys)];
  // A dot has no size to scale to; it becomes a round blot.
  const extent = Math.max(Math.max(...xs) - left, Math.max(...ys) - top, 0.05);
  const room = ((BOX - PEN_WIDTH) * OVERSAMPLING) / extent;
  const edge = (PEN_WIDTH * OVERSAMPLING) / 2;
  const scaled = lines.map((line) =>
    line.map(([x, y]) => [(x - left) * room + edge, (y - top) * room + edge]),
  );
  return draw(scaled, BOX * OVERSAMPLING);
}

// The strokes that have points.
function checkStrokes(strokes) {
  const form = "expected a list of strokes, each a list of (x, y) points";
  if (!Array.isArray(strokes)) throw new Error(form);
  const lines = [];
  for (const stroke of strokes) {
    if (!Array.isArray(stroke)) throw new Error(form);
    if (stroke.every((point) => Array.isArray(point) && point.length === 0)) continue;
    const isPoint = (point) => Array.isArray(point) && point.length === 2 && point.every(isNumber);
    if (!stroke.every(isPoint)) throw new Error(form);
    if (!stroke.flat().every((value) => value !== null && value >= 0 && value <= 1)) {
      throw new Error("expected coordinates from 0 to 1, fractions of the pad's side");
    }
    lines.push(stroke);
  }
  if (lines.length === 0) {
    throw new Error("expected at least one stroke with a point: the pad is empty");
  }
  return lines;
}

// JSON, in which strokes travel to Python, has null in the place of what is not a number.
function isNumber(value) {
  return typeof value === "number" || value === null;
}

// Ink is where a pixel's middle is no farther from a line than the pen's radius.
function draw(lines, side) {
  const canvas = image(side, side);
  for (const line of lines) {
    if (line.length === 1) drawSegment(canvas, line[0], line[0]);
    for (let i = 1; i < line.length; i++) drawSegment(canvas, line[i - 1], line[i]);
  }
  return canvas;
}

function drawSegment({ width: side, data }, [ax, ay], [bx, by]) {
  const radius = (PEN_WIDTH * OVERSAMPLING) / 2;
  const dx = bx - ax;
  const dy = by - ay;
  const length2 = dx * dx + dy * dy || 1;
  // Only the pixels around the segment are looked at, from first to last in x and in y.
  const first = (a, b) => Math.max(Math.floor(Math.min(a, b) - radius), 0);
  const last = (a, b) => Math.min(Math.ceil(Math.max(a, b) + radius), side);
  const [x0, x1, y0, y1] = [first(ax, bx), last(ax, bx), first(ay, by), last(ay, by)];
  for (let y = y0; y < y1; y++) {
    const down = y + 0.5 - ay;
    for (let x = x0; x < x1; x++) {
      const right = x + 0.5 - ax;
      // The nearest point of the segment lies at this part of its way, from 0 to 1.
      const part = clamp(right * (dx / length2) + down * (dy / length2), 0, 1);
      const across = right - part * dx;
      const along = down - part * dy;
      if (across * across + along * along <= radius * radius) data[y * side + x] = 255;
    }
  }
}

// --- from ink to MNIST's form --------------------------------------------------------------

// The smallest part of an image that holds all its ink.
function crop({ height, width, data }) {
  let [top, bottom, left, right] = [height, -1, width, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (data[y * width + x] === 0) continue;
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
      left = Math.min(left, x);
      right = Math.max(right, x);
    }
  }
  const cropped = image(bottom - top + 1, right - left + 1);
  for (let y = top; y <= bottom; y++) {
    const row = data.subarray(y * width + left, y * width + right + 1);
    cropped.data.set(row, (y - top) * cropped.width);
  }
  return cropped;
}

// The longer side becomes 20 pixels, the brightest pixel 255. Float32 as in Pillow and NumPy.
function fitInBox({ height, width, data }) {
  const scale = BOX / Math.max(height, width);
  const fitted = image(
    ...[height, width].map((side) => Math.max(1, roundHalfToEven(side * scale))),
  );
  const ink = new Float32Array(data).map((value) => value / 255); // drawn ink is 0 or 255
  const narrow = resizeRows(ink, width, fitted.width);
  // Turned over, columns are rows.
  const upright = resizeRows(transpose(narrow, fitted.width), height, fitted.height);
  const small = transpose(upright, fitted.height);
  const most = Math.max(...small);
  small.forEach((value, i) => {
    fitted.data[i] = roundHalfToEven(Math.fround(Math.fround(value / most) * 255));
  });
  return fitted;
}

// Each row of `from` numbers becomes one of `to`, as Pillow's BILINEAR does it: each new pixel is
// a mean of the old ones around it, which count the less the farther away they are. Where an
// image shrinks, the mean reaches over as many old pixels as fall to a new one.
function resizeRows(data, from, to) {
  const scale = from / to;
  const reach = Math.max(scale, 1);
  const rows = data.length / from;
  const resized = new Float32Array(rows * to);
  for (let i = 0; i < to; i++) {
    const middle = (i + 0.5) * scale;
    const first = Math.max(Math.trunc(middle - reach + 0.5), 0);
    const last = Math.min(Math.trunc(middle + reach + 0.5), from);
    const weights = [];
    for (let j = first; j < last; j++) {
      weights.push(Math.max(1 - Math.abs((j - middle + 0.5) * (1 / reach)), 0));
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let row = 0; row < rows; row++) {
      let sum = 0;
      weights.forEach((weight, j) => {
        sum += data[row * from + first + j] * (weight / total);
      });
      resized[row * to + i] = sum;
    }
  }
  return resized;
}

function transpose(data, width) {
  const height = data.length / width;
  return data.map((_, i) => data[(i % height) * width + Math.floor(i / height)]);
}

// Moved by whole pixels, so that the centre of mass comes to the middle; no ink is cut off.
function placeByMass(fitted) {
  const { height, width, data } = crop(fitted);
  const mass = data.reduce((sum, value) => sum + value, 0);
  const down = data.reduce((sum, value, i) => sum + value * Math.floor(i / width), 0) / mass;
  const along = data.reduce((sum, value, i) => sum + value * (i % width), 0) / mass;
  const place = (middle, length) =>
    clamp(roundHalfToEven(DIGIT_SIDE / 2 - middle), 0, DIGIT_SIDE - length);
  const [top, left] = [place(down, height), place(along, width)];
  const placed = image(DIGIT_SIDE, DIGIT_SIDE);
  for (let y = 0; y < height; y++) {
    placed.data.set(data.subarray(y * width, (y + 1) * width), (top + y) * DIGIT_SIDE + left);
  }
  return placed;
}

function image(height, width) {
  return { height, width, data: new Uint8Array(height * width) };
}

// As Python and NumPy round: what lies in the middle goes to the even number.
function roundHalfToEven(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}
