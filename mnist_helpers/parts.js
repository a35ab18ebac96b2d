// Small parts that the drawing pad, the convolution view and the live parts of the pages share.
// Not a module: this text is put in front of the text of the view that needs it.

const DIGIT_SIDE = 28; // pixels of a digit's image
const REST_MS = 500; // how long nothing has to move before the status is read aloud
const PATIENCE_MS = 4000; // how long the kernel may take without a word
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

// --- elements ------------------------------------------------------------------------------

function element(tag, className = "", text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function svgElement(tag, attributes, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

// JupyterLab's one-key shortcuts (D D deletes a cell) must not act on keys meant for a view.
// It looks for this attribute on the focused element itself first.
function keepShortcutsAway(node) {
  node.setAttribute("data-lm-suppress-shortcuts", "true");
  return node;
}

function control(tag, className, text) {
  return keepShortcutsAway(element(tag, className, text));
}

function button(text, onClick) {
  const node = control("button", "mnist-control", text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

function inRow(...nodes) {
  const node = element("div", "mnist-row");
  node.append(...nodes);
  return node;
}

// A surface that pointer and arrow keys act on; `move(down, right)` is called for each arrow key.
function movingSurface(className, move) {
  const node = control("div", `mnist-surface ${className}`);
  node.tabIndex = 0;
  node.setAttribute("role", "application");
  node.addEventListener("keydown", (event) => {
    const step = ARROWS[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    move(...step);
  });
  return node;
}

// --- numbers -------------------------------------------------------------------------------

function clamp(value, lowest, highest) {
  return Math.min(highest, Math.max(lowest, value)) + 0; // no -0
}

function percent(fraction) {
  return `${Math.round(100 * fraction)}\u00a0%`;
}

function indexOfLargest(numbers) {
  return numbers.indexOf(Math.max(...numbers));
}

// --- pictures ------------------------------------------------------------------------------

// Bytes in base64, as Python sends an image, as a list of numbers from 0 to 255.
function bytesOf(base64) {
  return Array.from(atob(base64), (character) => character.charCodeAt(0));
}

// A digit as Python sends it, with its pixels as 28 rows of numbers from 0 to 255.
function unpackDigit({ label, pixels }) {
  const values = bytesOf(pixels);
  const image = Array.from({ length: DIGIT_SIDE }, (_, number) =>
    values.slice(DIGIT_SIDE * number, DIGIT_SIDE * (number + 1)),
  );
  return { label, image };
}

function pixelCanvas(width, height = width) {
  const node = element("canvas", "mnist-pixels");
  node.width = width;
  node.height = height;
  return node;
}

// Colours the pixels of a canvas, row by row; a pixel without a colour stays transparent.
function paint(canvas, colours) {
  const picture = new ImageData(canvas.width, canvas.height);
  colours.forEach((colour, i) => {
    if (colour) picture.data.set([...colour, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

// The colour of ink from 0 to 255: dark on white, as on paper.
function inkColour(ink) {
  return Array(3).fill(255 - Math.round(ink));
}

// --- the kernel ----------------------------------------------------------------------------

// Calls `show` now and whenever the value changes; gives a function that ends this.
function follow(model, name, show) {
  model.on(`change:${name}`, show);
  show();
  return () => model.off(`change:${name}`, show);
}

// For what waits for an answer: `start` it, and `stop` it when there is one.
function patienceThat(say) {
  let timer = null;
  const stop = () => clearTimeout(timer);
  const start = () => {
    stop();
    const text = "No answer yet: the kernel is busy, or it has to be restarted.";
    timer = setTimeout(() => say(text), PATIENCE_MS);
  };
  return { start, stop };
}

// --- parts with a state: each gives a node, and `draw`, which shows the state ----------------

// A row of small digits to choose from. `choose` gets the digit, and `draw` the chosen one.
function digitChoice(digits, purpose, choose) {
  const node = element("div", "mnist-row mnist-choice");
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", purpose);
  const buttons = digits.map((digit, index) => {
    const picture = pixelCanvas(DIGIT_SIDE);
    paint(picture, digit.image.flat().map(inkColour));
    const choice = button("", () => choose(digit));
    choice.setAttribute("aria-label", `Digit ${index + 1} of ${digits.length}: a ${digit.label}`);
    choice.append(picture);
    return choice;
  });
  node.append(...buttons);
  const draw = (chosen) => {
    buttons.forEach((choice, index) => {
      choice.setAttribute("aria-pressed", digits[index] === chosen);
    });
  };
  return { node, draw };
}

// What a screen reader is told, once the state rests: `describe` puts it into words.
function restingStatus(describe) {
  const node = element("div", "mnist-status");
  node.setAttribute("role", "status");
  let timer = null;
  const stop = () => clearTimeout(timer);
  const draw = (state) => {
    stop();
    timer = setTimeout(() => {
      node.textContent = describe(state);
    }, REST_MS);
  };
  return { node, draw, stop };
}

// What a network says of an image: its answer in words, and ten bars. A remark may follow.
function networkAnswer(name, probabilities, remark = "") {
  const best = indexOfLargest(probabilities);
  const values = probabilities.map((p, digit) => `${digit}: ${percent(p)}`);
  const chart = element("div", "mnist-bars");
  chart.setAttribute("role", "img");
  chart.setAttribute("aria-label", `Probabilities of the ${name}. ${values.join(", ")}`);
  probabilities.forEach((probability, digit) => {
    const fill = element("div", "mnist-bar-fill");
    fill.style.height = `${100 * probability}%`;
    const space = element("div", "mnist-bar-space");
    space.append(fill);
    const bar = element("div", digit === best ? "mnist-bar best" : "mnist-bar");
    bar.title = values[digit];
    bar.append(space, String(digit));
    chart.append(bar);
  });
  const node = element("div", "mnist-network");
  node.dataset.network = name;
  node.dataset.digit = best;
  const verdict = `${name}: ${best} (${percent(probabilities[best])})${remark}`;
  node.append(element("div", "mnist-verdict", verdict), chart);
  return node;
}
