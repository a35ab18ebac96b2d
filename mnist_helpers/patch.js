// The browser's half of PatchView (patch.py): a frame moves over a digit, and the patch below it
// is multiplied by a kernel. All the arithmetic is here, so the view works on a page, too. "Row"
// and "column" are those of the pixel in the middle of the frame.

const SIDE = 28; // pixels of a digit
const SIZE = 3; // of a kernel, so the frame's middle stays one pixel off the rim
const MAP_SIDE = SIDE - SIZE + 1;
const LARGEST_WEIGHT = 99;
const REST_MS = 500; // a frame that moves on says nothing

// --- the convolution -------------------------------------------------------------------------

function patchAt(image, row, column) {
  const rows = image.slice(row - 1, row + 2);
  return rows.map((pixels) => pixels.slice(column - 1, column + 2));
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
  const digits = model.get("digits").map(({ label, pixels }) => ({ label, image: rowsOf(pixels) }));
  const kernels = model.get("kernels");
  const state = {
    digit: digits[0],
    kernel: kernels[0].weights,
    row: model.get("row"),
    column: model.get("column"),
    seen: new Set(), // the places of the map that have a value
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
  const status = statusLine();
  const parts = [
    digitChoice(digits, change),
    digitSurface(state, change),
    numbers(kernels, state, change),
    mapView(change),
    status,
  ];
  const root = element("div", "mnist-patch");
  root.append(...parts.map((part) => part.node));
  el.append(root);
  change({});
  return status.stop;
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// JupyterLab's one-key shortcuts (D D deletes a cell) must not act on keys meant for the view.
function control(tag, className, text) {
  const node = element(tag, className, text);
  node.setAttribute("data-lm-suppress-shortcuts", "true");
  return node;
}

function button(text, onClick) {
  const node = control("button", "mnist-patch-button", text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

function canvas(side) {
  const node = element("canvas", "mnist-patch-pixels");
  node.width = side;
  node.height = side;
  return node;
}

// Colours the pixels of a canvas, row by row; a pixel without a colour stays transparent.
function paint(node, colours) {
  const picture = new ImageData(node.width, node.height);
  colours.forEach((colour, i) => {
    if (colour) picture.data.set([...colour, 255], 4 * i);
  });
  node.getContext("2d").putImageData(picture, 0, 0);
}

// 784 bytes in base64 as 28 rows of numbers from 0 to 1.
function rowsOf(pixels) {
  const values = Array.from(atob(pixels), (byte) => byte.charCodeAt(0) / 255);
  return Array.from({ length: SIDE }, (_, row) => values.slice(SIDE * row, SIDE * (row + 1)));
}

function clamp(value, lowest, highest) {
  return Math.min(highest, Math.max(lowest, value));
}

function written(value) {
  const rounded = Math.round(100 * value) / 100 + 0; // no -0
  return rounded.toFixed(2).replace("-", "\u2212");
}

// Ink dark on white, as on paper.
function grey(pixel) {
  return Array(3).fill(Math.round(255 * (1 - pixel)));
}

// Blue below zero, white at zero, red above, as in the notebook's figures.
function diverging(value, limit) {
  const end = value < 0 ? [33, 102, 172] : [178, 24, 43];
  const part = Math.min(1, Math.abs(value) / limit);
  return end.map((channel) => Math.round(247 + part * (channel - 247)));
}

// Black or white, whichever is easier to read there (by the luminance that WCAG defines).
function fill(cell, value, colour) {
  const [red, green, blue] = colour.map((channel) => (channel / 255) ** 2.2);
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  cell.textContent = written(value);
  cell.style.background = `rgb(${colour})`;
  cell.style.color = luminance > 0.179 ? "#000000" : "#ffffff";
}

// --- its parts: each gives a node, and `draw`, which shows the state -----------------------------

function digitChoice(digits, change) {
  const node = element("div", "mnist-patch-choice");
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", "Choose a digit");
  const buttons = digits.map((digit, index) => {
    const choose = button("", () => change({ digit, seen: new Set() }));
    choose.setAttribute("aria-label", `Digit ${index + 1} of ${digits.length}: a ${digit.label}`);
    const picture = canvas(SIDE);
    paint(picture, digit.image.flat().map(grey));
    choose.append(picture);
    return choose;
  });
  node.append(...buttons);
  const draw = (state) => {
    buttons.forEach((choose, index) => {
      choose.setAttribute("aria-pressed", digits[index] === state.digit);
    });
  };
  return { node, draw };
}

function digitSurface(state, change) {
  const surface = control("div", "mnist-patch-surface");
  surface.tabIndex = 0;
  surface.setAttribute("role", "application");
  const picture = canvas(SIDE);
  const frame = element("div", "mnist-patch-frame");
  surface.append(picture, frame);

  // A mouse need not be pressed. A finger or a pen on the screen is followed beyond the rim.
  for (const kind of ["pointerdown", "pointermove"]) {
    surface.addEventListener(kind, (event) => {
      const box = surface.getBoundingClientRect();
      // All positions since the last frame: fast moves leave fewer gaps.
      const way = event.getCoalescedEvents?.() ?? [];
      for (const { clientX, clientY } of way.length ? way : [event]) {
        const column = Math.floor((SIDE * (clientX - box.left)) / box.width);
        const row = Math.floor((SIDE * (clientY - box.top)) / box.height);
        change({ row, column });
      }
    });
  }
  const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  surface.addEventListener("keydown", (event) => {
    const step = arrows[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    change({ row: state.row + step[0], column: state.column + step[1] });
  });

  const caption = element("figcaption", "");
  const node = element("figure", "mnist-patch-digit");
  node.append(surface, caption);
  const draw = ({ digit, row, column }) => {
    const name = `Image of a ${digit.label}. Arrow keys move the frame of 3 by 3 pixels.`;
    surface.setAttribute("aria-label", name);
    paint(picture, digit.image.flat().map(grey));
    frame.style.left = `${(100 * (column - 1)) / SIDE}%`;
    frame.style.top = `${(100 * (row - 1)) / SIDE}%`;
    const place = `row ${row}, column ${column}`;
    caption.textContent = `${place}: move over the image, or use the arrow keys`;
  };
  return { node, draw };
}

// patch × kernel = products, and their sum.
function numbers(kernels, state, change) {
  const patch = table("patch", () => element("span", ""));
  const kernel = table("kernel", (row, column) => kernelField(row, column, state, change));
  const products = table("products", () => element("span", ""));
  const [times, equals] = ["×", "="].map((sign) => element("span", "mnist-patch-operator", sign));
  const result = element("strong", "mnist-patch-sum");
  const total = element("span", "mnist-patch-operator", "sum ");
  total.append(result);
  const calculation = element("div", "mnist-patch-row");
  calculation.append(patch.node, times, kernel.node, equals, products.node, total);
  const choice = kernelChoice(kernels, change);
  const node = element("div", "mnist-patch-numbers");
  node.append(choice.node, calculation);

  const draw = (now) => {
    choice.draw(now);
    // Twice the largest product: pale colours, on which the numbers are easy to read.
    const limit = 2 * Math.max(...now.kernel.flat().map(Math.abs), 1e-9);
    now.patch.flat().forEach((pixel, i) => {
      fill(patch.cells[i], pixel, grey(pixel));
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
  const choice = control("select", "mnist-patch-button");
  const own = new Option("your own", "");
  own.disabled = true; // chosen by typing
  choice.append(...kernels.map(({ name }, index) => new Option(name, index)), own);
  choice.addEventListener("change", () => change({ kernel: kernels[choice.value].weights }));
  const node = element("label", "mnist-patch-row", "kernel: ");
  node.append(choice);
  const draw = ({ kernel }) => {
    const index = kernels.findIndex(({ weights }) => weights === kernel);
    choice.value = index < 0 ? "" : index;
  };
  return { node, draw };
}

function kernelField(row, column, state, change) {
  const field = control("input", "");
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
  const node = element("table", "");
  node.append(element("caption", "", name));
  const cells = [];
  for (let row = 0; row < SIZE; row++) {
    const line = node.insertRow();
    for (let column = 0; column < SIZE; column++) {
      const cell = make(row, column);
      line.insertCell().append(cell);
      cells.push(cell);
    }
  }
  return { node, cells };
}

function mapView(change) {
  const places = MAP_SIDE * MAP_SIDE;
  const picture = canvas(MAP_SIDE);
  picture.setAttribute("role", "img");
  const frame = element("div", "mnist-patch-frame one");
  const map = element("div", "mnist-patch-map");
  map.append(picture, frame);
  const caption = element("figcaption", "");
  const buttons = element("div", "mnist-patch-row");
  buttons.append(
    button("Fill it all", () => change({ seen: new Set(Array(places).keys()) })),
    button("Clear", () => change({ seen: new Set() })),
  );
  const node = element("figure", "mnist-patch-result");
  node.append(map, caption, buttons);

  const draw = ({ digit, kernel, seen, row, column }) => {
    const limit = reachOf(kernel);
    const colours = Array(places);
    for (const place of seen) {
      const patch = patchAt(digit.image, Math.floor(place / MAP_SIDE) + 1, (place % MAP_SIDE) + 1);
      colours[place] = diverging(sum(multiply(patch, kernel)), limit);
    }
    paint(picture, colours);
    frame.style.left = `${(100 * (column - 1)) / MAP_SIDE}%`;
    frame.style.top = `${(100 * (row - 1)) / MAP_SIDE}%`;
    picture.setAttribute("aria-label", `Feature map, ${seen.size} of ${places} values`);
    const ends = `blue ${written(-limit)}, white 0, red ${written(limit)}`;
    caption.textContent = `feature map, ${seen.size} of ${places} values: ${ends}`;
  };
  return { node, draw };
}

// Says place and sum to a screen reader, once the frame rests.
function statusLine() {
  const node = element("div", "mnist-patch-status");
  node.setAttribute("role", "status");
  let timer = null;
  const draw = ({ row, column, products }) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      node.textContent = `Row ${row}, column ${column}: sum ${written(sum(products))}`;
    }, REST_MS);
  };
  return { node, draw, stop: () => clearTimeout(timer) };
}

export default { render };
