// The browser's half of ConvolutionView (convolution_view.py): a frame moves over a digit, and the
// patch inside it is multiplied by a kernel. All the arithmetic is here, so the view works on a
// page, too. "Row" and "column" are those of the pixel in the middle of the frame. Needs parts.js
// before it.

const KERNEL_SIDE = 3; // so the frame's middle stays one pixel off the rim
const MAP_SIDE = DIGIT_SIDE - KERNEL_SIDE + 1;
const LARGEST_WEIGHT = 99;

// --- the convolution -------------------------------------------------------------------------

// The 3 × 3 pixels around one, from 0 to 1.
function patchAt(image, row, column) {
  const rows = image.slice(row - 1, row + 2);
  return rows.map((pixels) => pixels.slice(column - 1, column + 2).map((pixel) => pixel / 255));
}

function multiply(patch, kernel) {
  return patch.map((pixels, i) => pixels.map((pixel, j) => pixel * kernel[i][j]));
}

function sum(table) {
  return table.flat().reduce((total, value) => total + value, 0);
}

// The largest value, either way, that a patch of pixels from 0 to 1 can give.
function reachOf(kernel) {
  const weights = kernel.flat();
  return Math.max(
    sum(weights.filter((w) => w > 0)),
    -sum(weights.filter((w) => w < 0)),
    1e-9, // of a kernel of zeros
  );
}

// --- the view --------------------------------------------------------------------------------

function render({ model, el }) {
  const digits = model.get("digits").map(unpackDigit);
  const kernels = model.get("kernels");
  const state = {
    digit: digits[0],
    kernel: kernels[0].weights,
    row: model.get("row"),
    column: model.get("column"),
    seen: new Set(), // the positions in the map that have a value
  };

  const change = (values) => {
    Object.assign(state, values);
    state.row = clamp(state.row, 1, MAP_SIDE);
    state.column = clamp(state.column, 1, MAP_SIDE);
    state.seen.add(MAP_SIDE * (state.row - 1) + state.column - 1);
    state.patch = patchAt(state.digit.image, state.row, state.column);
    state.products = multiply(state.patch, state.kernel);
    for (const part of parts) part.draw(state);
  };
  const choice = digitChoice(digits, "Choose a digit", (digit) =>
    change({ digit, seen: new Set() }),
  );
  const status = restingStatus(
    ({ row, column, products }) => `Row ${row}, column ${column}: sum ${written(sum(products))}`,
  );
  const parts = [
    { node: choice.node, draw: ({ digit }) => choice.draw(digit) },
    digitSurface(state, change),
    calculation(kernels, state, change),
    mapView(change),
    status,
  ];
  const root = element("div", "mnist-view mnist-convolution");
  root.append(...parts.map((part) => part.node));
  el.append(root);
  change({});
  return status.stop;
}

function written(value) {
  const rounded = Math.round(100 * value) / 100 + 0; // no -0
  return rounded.toFixed(2).replace("-", "\u2212");
}

// Blue below zero, white at zero, red above, as in the notebook's figures.
function diverging(value, limit) {
  const end = value < 0 ? [33, 102, 172] : [178, 24, 43];
  const part = Math.min(1, Math.abs(value) / limit);
  return end.map((channel) => Math.round(247 + part * (channel - 247)));
}

// Text in black or white, whichever is easier to read there (by the luminance that WCAG defines).
function fill(cell, value, colour) {
  const [red, green, blue] = colour.map((channel) => (channel / 255) ** 2.2);
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  cell.textContent = written(value);
  cell.style.background = `rgb(${colour})`;
  cell.style.color = luminance > 0.179 ? "#000000" : "#ffffff";
}

// A picture of `side` × `side` pixels with a frame over it; `place` puts its left upper corner.
function framedPicture(surface, side, frameClass) {
  const picture = pixelCanvas(side);
  const frame = element("div", frameClass);
  surface.append(picture, frame);
  const place = (row, column) => {
    frame.style.left = `${(100 * column) / side}%`;
    frame.style.top = `${(100 * row) / side}%`;
  };
  return { picture, place };
}

// --- its parts: each gives a node, and `draw`, which shows the state -----------------------------

function digitSurface(state, change) {
  const surface = movingSurface("mnist-convolution-digit", (down, right) =>
    change({ row: state.row + down, column: state.column + right }),
  );
  const { picture, place } = framedPicture(surface, DIGIT_SIDE, "mnist-convolution-frame");
  // A mouse need not be pressed. A finger or a pen on the screen is followed beyond the rim.
  for (const kind of ["pointerdown", "pointermove"]) {
    surface.addEventListener(kind, (event) => {
      const box = surface.getBoundingClientRect();
      // All positions since the last frame: fast moves leave fewer gaps.
      const way = event.getCoalescedEvents?.() ?? [];
      for (const { clientX, clientY } of way.length ? way : [event]) {
        const column = Math.floor((DIGIT_SIDE * (clientX - box.left)) / box.width);
        const row = Math.floor((DIGIT_SIDE * (clientY - box.top)) / box.height);
        change({ row, column });
      }
    });
  }
  const caption = element("figcaption");
  const node = element("figure");
  node.append(surface, caption);
  const draw = ({ digit, row, column }) => {
    const name = `Image of a ${digit.label}. Arrow keys move the frame of 3 by 3 pixels.`;
    surface.setAttribute("aria-label", name);
    paint(picture, digit.image.flat().map(inkColour));
    place(row - 1, column - 1);
    const position = `row ${row}, column ${column}`;
    caption.textContent = `${position}: move over the image, or use the arrow keys`;
  };
  return { node, draw };
}

// patch × kernel = products, and their sum.
function calculation(kernels, state, change) {
  const patch = table("patch", () => element("span"));
  const kernel = table("kernel", (row, column) => kernelField(row, column, state, change));
  const products = table("products", () => element("span"));
  const [times, equals, total] = ["×", "=", "sum "].map((sign) =>
    element("span", "mnist-convolution-operator", sign),
  );
  const result = element("strong", "mnist-convolution-sum");
  total.append(result);
  const choice = kernelChoice(kernels, change);
  const node = element("div", "mnist-convolution-numbers");
  node.append(choice.node, inRow(patch.node, times, kernel.node, equals, products.node, total));

  const draw = (now) => {
    choice.draw(now);
    // Twice the largest product: pale colours, on which the numbers are easy to read.
    const limit = 2 * Math.max(...now.kernel.flat().map(Math.abs), 1e-9);
    now.patch.flat().forEach((pixel, i) => {
      fill(patch.cells[i], pixel, inkColour(255 * pixel));
    });
    now.kernel.flat().forEach((weight, i) => {
      // What is being typed, such as "-" or "0.", is left alone.
      if (kernel.cells[i] !== document.activeElement) kernel.cells[i].value = weight;
    });
    now.products.flat().forEach((product, i) => {
      fill(products.cells[i], product, diverging(product, limit));
    });
    fill(result, sum(now.products), diverging(sum(now.products), reachOf(now.kernel)));
  };
  return { node, draw };
}

function kernelChoice(kernels, change) {
  const choice = control("select", "mnist-control");
  const own = new Option("your own", "");
  own.disabled = true; // chosen by typing
  choice.append(...kernels.map(({ name }, index) => new Option(name, index)), own);
  choice.addEventListener("change", () => change({ kernel: kernels[choice.value].weights }));
  const node = element("label", "mnist-row", "kernel: ");
  node.append(choice);
  const draw = ({ kernel }) => {
    const index = kernels.findIndex(({ weights }) => weights === kernel);
    choice.value = index < 0 ? "" : index;
  };
  return { node, draw };
}

function kernelField(row, column, state, change) {
  const field = control("input");
  Object.assign(field, { type: "number", step: "any" });
  field.setAttribute("aria-label", `Kernel, row ${row + 1}, column ${column + 1}`);
  const weight = () => clamp(Number(field.value), -LARGEST_WEIGHT, LARGEST_WEIGHT);
  field.addEventListener("input", () => {
    const kernel = state.kernel.map((weights) => [...weights]);
    kernel[row][column] = weight();
    change({ kernel });
  });
  field.addEventListener("change", () => {
    field.value = weight();
  });
  return field;
}

// A table of 3 × 3 cells, which `make` makes.
function table(name, make) {
  const node = element("table");
  node.append(element("caption", "", name));
  const cells = [];
  for (let row = 0; row < KERNEL_SIDE; row++) {
    const line = node.insertRow();
    for (let column = 0; column < KERNEL_SIDE; column++) {
      const cell = make(row, column);
      line.insertCell().append(cell);
      cells.push(cell);
    }
  }
  return { node, cells };
}

function mapView(change) {
  const count = MAP_SIDE * MAP_SIDE;
  const map = element("div", "mnist-convolution-map");
  const { picture, place } = framedPicture(map, MAP_SIDE, "mnist-convolution-frame one");
  picture.setAttribute("role", "img");
  const caption = element("figcaption");
  const buttons = inRow(
    button("Fill it all", () => change({ seen: new Set(Array(count).keys()) })),
    button("Clear", () => change({ seen: new Set() })),
  );
  const node = element("figure");
  node.append(map, caption, buttons);

  const draw = ({ digit, kernel, seen, row, column }) => {
    const limit = reachOf(kernel);
    const colours = Array(count);
    for (const position of seen) {
      const [above, left] = [Math.floor(position / MAP_SIDE), position % MAP_SIDE];
      const patch = patchAt(digit.image, above + 1, left + 1);
      colours[position] = diverging(sum(multiply(patch, kernel)), limit);
    }
    paint(picture, colours);
    place(row - 1, column - 1);
    picture.setAttribute("aria-label", `Feature map, ${seen.size} of ${count} values`);
    const ends = `blue ${written(-limit)}, white 0, red ${written(limit)}`;
    caption.textContent = `feature map, ${seen.size} of ${count} values: ${ends}`;
  };
  return { node, draw };
}

export default { render };
