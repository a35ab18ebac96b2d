// Moves a digit on the page of notebook 04: the networks of the page answer to where it lies, and
// the accuracies that the run has measured are marked at the same shift.

const SVG = "http://www.w3.org/2000/svg";
const SIDE = 28; // pixels of a digit
const NETWORKS = { dense: "dense network", cnn: "CNN", compact: "compact network" };
const REST_MS = 500; // a digit that moves on says nothing
const DASHES = ["none", "7 4", "2 3"]; // the lines differ without their colours, too

// The digit moved by whole pixels: what leaves is cut off, what enters is background.
function shifted(image, down, right) {
  return image.map((pixels, row) =>
    pixels.map((_, column) => image[row - down]?.[column - right] ?? 0),
  );
}

function render({ model, el }) {
  const digits = model.get("digits").map(({ label, pixels }) => ({ label, image: rowsOf(pixels) }));
  const shifts = model.get("shifts");
  const state = { digit: digits[0], down: 0, right: 0, reach: Math.max(...shifts) };

  const change = (values) => {
    const next = { ...state, ...values };
    next.down = clamp(next.down, state.reach);
    next.right = clamp(next.right, state.reach);
    const same = ["digit", "down", "right"].every((name) => next[name] === state[name]);
    if (same && state.pixels) return;
    Object.assign(state, next);
    state.pixels = shifted(state.digit.image, state.down, state.right).flat();
    state.answer = window.mnistTutorial?.answer?.(state.pixels) ?? {};
    for (const part of parts) part.draw(state);
  };
  const status = statusLine();
  const parts = [
    digitChoice(digits, change),
    digitSurface(state, change),
    answers(),
    curve(shifts, model.get("curves")),
    status,
  ];
  const root = element("div", "mnist-shift");
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

function svgElement(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

function button(text, onClick) {
  const node = element("button", "mnist-shift-button", text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

// 784 bytes in base64 as 28 rows of numbers from 0 to 255.
function rowsOf(pixels) {
  const values = Array.from(atob(pixels), (byte) => byte.charCodeAt(0));
  return Array.from({ length: SIDE }, (_, row) => values.slice(SIDE * row, SIDE * (row + 1)));
}

function clamp(value, reach) {
  return Math.min(reach, Math.max(-reach, value)) + 0; // no -0
}

function percent(fraction) {
  return `${Math.round(100 * fraction)}\u00a0%`;
}

// "2 down, 1 left", or "not moved".
function moved({ down, right }) {
  const parts = [];
  if (down !== 0) parts.push(`${Math.abs(down)} ${down > 0 ? "down" : "up"}`);
  if (right !== 0) parts.push(`${Math.abs(right)} ${right > 0 ? "right" : "left"}`);
  return parts.length > 0 ? `moved ${parts.join(", ")}` : "not moved";
}

// --- its parts: each gives a node, and `draw`, which shows the state -----------------------------

function picture() {
  const node = element("canvas", "mnist-shift-pixels");
  node.width = SIDE;
  node.height = SIDE;
  return node;
}

// Ink dark on white, as on paper.
function paint(node, pixels) {
  const image = new ImageData(SIDE, SIDE);
  pixels.forEach((ink, i) => {
    image.data.set([255 - ink, 255 - ink, 255 - ink, 255], 4 * i);
  });
  node.getContext("2d").putImageData(image, 0, 0);
}

function digitChoice(digits, change) {
  const node = element("div", "mnist-shift-choice");
  node.setAttribute("role", "group");
  node.setAttribute("aria-label", "Choose a digit to move");
  const buttons = digits.map((digit, index) => {
    const choose = button("", () => change({ digit }));
    choose.setAttribute("aria-label", `Digit ${index + 1} of ${digits.length}: a ${digit.label}`);
    const small = picture();
    paint(small, digit.image.flat());
    choose.append(small);
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
  const surface = element("div", "mnist-shift-surface");
  surface.tabIndex = 0;
  surface.setAttribute("role", "application");
  const large = picture();
  surface.append(large);

  let grip = null; // where the digit was taken, and how it lay then
  surface.addEventListener("pointerdown", (event) => {
    if (grip || event.button !== 0) return;
    surface.setPointerCapture(event.pointerId);
    grip = { id: event.pointerId, x: event.clientX, y: event.clientY, ...state };
  });
  surface.addEventListener("pointermove", (event) => {
    if (event.pointerId !== grip?.id) return;
    const pixel = surface.clientWidth / SIDE;
    const down = grip.down + Math.round((event.clientY - grip.y) / pixel);
    change({ down, right: grip.right + Math.round((event.clientX - grip.x) / pixel) });
  });
  surface.addEventListener("lostpointercapture", () => {
    grip = null;
  });
  const arrows = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  surface.addEventListener("keydown", (event) => {
    const step = arrows[event.key];
    if (!step) return;
    event.preventDefault();
    change({ down: state.down + step[0], right: state.right + step[1] });
  });

  const caption = element("figcaption", "");
  const back = button("Back to the middle", () => change({ down: 0, right: 0 }));
  const node = element("figure", "");
  node.append(surface, caption, back);
  const draw = (now) => {
    paint(large, now.pixels);
    const how = "Drag it, or use the arrow keys.";
    surface.setAttribute("aria-label", `Image of a ${now.digit.label}. Arrow keys move the digit.`);
    caption.textContent = `A ${now.digit.label}, ${moved(now)}. ${how}`;
  };
  return { node, draw };
}

function answers() {
  const node = element("div", "mnist-shift-answers");
  const draw = ({ answer, digit }) => {
    const there = Object.keys(NETWORKS).filter((name) => answer[name]);
    const missing = Object.keys(NETWORKS).filter((name) => !answer[name]);
    const whose = "The networks that this run has kept, trained at full length:";
    node.replaceChildren(...there.map((name) => bars(name, answer[name], digit.label)));
    if (there.length > 0) node.prepend(element("p", "", whose));
    if (missing.length > 0) {
      const names = missing.map((name) => NETWORKS[name]).join(", ");
      const note = `Not on this page: ${names}. “make run” trains what is missing and puts it here.`;
      node.append(element("p", "mnist-shift-missing", note));
    }
  };
  return { node, draw };
}

function bars(name, probabilities, label) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const verdict = `${best} (${percent(probabilities[best])})`;
  const chart = element("div", "mnist-shift-bars");
  chart.setAttribute("role", "img");
  const values = probabilities.map((p, digit) => `${digit}: ${percent(p)}`);
  chart.setAttribute("aria-label", `Probabilities of the ${NETWORKS[name]}. ${values.join(", ")}`);
  probabilities.forEach((p, digit) => {
    const bar = element("div", digit === best ? "mnist-shift-bar best" : "mnist-shift-bar");
    const space = element("div", "mnist-shift-space");
    const filled = element("div", "mnist-shift-fill");
    filled.style.height = `${100 * p}%`;
    space.append(filled);
    bar.append(space, String(digit));
    chart.append(bar);
  });
  const node = element("div", "mnist-shift-network");
  node.dataset.network = name;
  const right = best === label ? "" : ", wrong";
  node.append(element("div", "", `${NETWORKS[name]}: ${verdict}${right}`), chart);
  return node;
}

// The curves of `plot_shifts`, with a mark at the shift of the digit.
function curve(shifts, curves) {
  const x = (shift) => 40 + (250 * shift) / Math.max(...shifts);
  const y = (accuracy) => 150 - 140 * accuracy;
  const chart = svgElement("svg", { viewBox: "0 0 300 188", role: "img" });
  for (const level of [0, 0.5, 1]) {
    chart.append(
      svgElement("path", { class: "grid", d: `M40 ${y(level)}H290` }),
      svgElement("text", { x: 36, y: y(level) + 4, "text-anchor": "end" }, percent(level)),
    );
  }
  for (const shift of shifts) {
    chart.append(svgElement("text", { x: x(shift), y: 166, "text-anchor": "middle" }, shift));
  }
  chart.append(svgElement("text", { x: 165, y: 183, "text-anchor": "middle" }, "shift in pixels"));
  const mark = svgElement("path", { class: "mark" });
  chart.append(mark);
  const line = (number) => ({ class: `line line-${number}`, "stroke-dasharray": DASHES[number] });
  curves.forEach(({ accuracies }, number) => {
    const points = shifts.map((shift, i) => `${x(shift)} ${y(accuracies[i])}`);
    chart.append(svgElement("path", { ...line(number), d: `M${points.join("L")}` }));
  });

  const legend = element("ul", "");
  const entries = curves.map((_, number) => {
    const sample = svgElement("svg", { viewBox: "0 0 36 10", "aria-hidden": "true" });
    sample.append(svgElement("path", { ...line(number), d: "M0 5H36" }));
    const entry = element("li", "");
    entry.append(sample, element("span", ""));
    legend.append(entry);
    return entry.lastChild;
  });
  const title = element("figcaption", "");
  const node = element("figure", "mnist-shift-curve");
  node.append(title, chart, legend);

  const draw = ({ down, right }) => {
    const shift = Math.max(Math.abs(down), Math.abs(right));
    const place = shifts.indexOf(shift);
    mark.setAttribute("d", `M${x(shift)} ${y(1)}V${y(0)}`);
    const values = curves.map(({ name, accuracies }) => `${name} ${percent(accuracies[place])}`);
    entries.forEach((entry, number) => {
      entry.textContent = values[number];
    });
    chart.setAttribute("aria-label", `Accuracy by shift. At ${shift}: ${values.join(", ")}`);
    const slanted = "They were moved in one direction only: the mark is at the larger of the two.";
    const both = down !== 0 && right !== 0 ? ` ${slanted}` : "";
    const whose = "Accuracy of this notebook’s contestants, trained on blocks,";
    title.textContent = `${whose} on digits shifted by ${shift}.${both}`;
  };
  return { node, draw };
}

// Says to a screen reader where the digit lies and how it is read, once it rests.
function statusLine() {
  const node = element("div", "mnist-shift-status");
  node.setAttribute("role", "status");
  let timer = null;
  const draw = (state) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      const read = Object.entries(state.answer).map(([name, probabilities]) => {
        return `${NETWORKS[name]}: ${probabilities.indexOf(Math.max(...probabilities))}`;
      });
      node.textContent = [`A ${state.digit.label}, ${moved(state)}`, ...read].join(". ");
    }, REST_MS);
  };
  return { node, draw, stop: () => clearTimeout(timer) };
}

export default { render };
