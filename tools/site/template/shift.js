// Moves a digit on the page of notebook 04: the networks of the page answer to where it lies, and
// the accuracies that the run has measured are marked at the same shift.

const DASHES = ["none", "7 4", "2 3"]; // the lines differ without their colours, too

function render({ model, el }) {
  const digits = model.get("digits").map(unpackDigit);
  const shifts = model.get("shifts");
  const reach = Math.max(...shifts);
  const state = { digit: digits[0], down: 0, right: 0 };

  const change = (values) => {
    const next = { ...state, ...values };
    next.down = clamp(next.down, -reach, reach);
    next.right = clamp(next.right, -reach, reach);
    if (state.pixels && Object.keys(next).every((name) => next[name] === state[name])) return;
    Object.assign(state, next);
    state.pixels = shifted(state.digit.image, state.down, state.right).flat();
    state.answer = window.mnistTutorial.answer(state.pixels);
    for (const part of parts) part.draw(state);
  };
  const choice = digitChoice(digits, "Choose a digit to move", (digit) => change({ digit }));
  const status = restingStatus(inWords);
  const parts = [
    { node: choice.node, draw: ({ digit }) => choice.draw(digit) },
    digitSurface(state, change),
    answers(),
    curve(shifts, model.get("curves")),
    status,
  ];
  const root = element("div", "mnist-view mnist-shift");
  root.append(...parts.map((part) => part.node));
  el.append(root);
  change({});
}

// The digit moved by whole pixels: what leaves is cut off, what enters is background.
function shifted(image, down, right) {
  return image.map((pixels, row) =>
    pixels.map((_, column) => image[row - down]?.[column - right] ?? 0),
  );
}

// "2 down, 1 left", or "not moved".
function moved({ down, right }) {
  const parts = [];
  if (down !== 0) parts.push(`${Math.abs(down)} ${down > 0 ? "down" : "up"}`);
  if (right !== 0) parts.push(`${Math.abs(right)} ${right > 0 ? "right" : "left"}`);
  return parts.length > 0 ? `moved ${parts.join(", ")}` : "not moved";
}

// For a screen reader: where the digit lies, and how it is read.
function inWords(state) {
  const read = Object.entries(state.answer).map(
    ([name, probabilities]) => `${NETWORK_NAMES[name]}: ${indexOfLargest(probabilities)}`,
  );
  return [`A ${state.digit.label}, ${moved(state)}`, ...read].join(". ");
}

// --- its parts: each gives a node, and `draw`, which shows the state -----------------------------

function digitSurface(state, change) {
  const surface = movingSurface("mnist-shift-digit", (down, right) =>
    change({ down: state.down + down, right: state.right + right }),
  );
  const large = pixelCanvas(DIGIT_SIDE);
  surface.append(large);

  let grip = null; // where the digit was taken, and how it lay then
  surface.addEventListener("pointerdown", (event) => {
    if (grip || event.button !== 0) return;
    surface.setPointerCapture(event.pointerId);
    grip = { id: event.pointerId, x: event.clientX, y: event.clientY, ...state };
  });
  surface.addEventListener("pointermove", (event) => {
    if (event.pointerId !== grip?.id) return;
    const pixel = surface.clientWidth / DIGIT_SIDE;
    const down = grip.down + Math.round((event.clientY - grip.y) / pixel);
    change({ down, right: grip.right + Math.round((event.clientX - grip.x) / pixel) });
  });
  surface.addEventListener("lostpointercapture", () => {
    grip = null;
  });

  const caption = element("figcaption");
  const back = button("Back to the middle", () => change({ down: 0, right: 0 }));
  const node = element("figure");
  node.append(surface, caption, back);
  const draw = (now) => {
    paint(large, now.pixels.map(inkColour));
    const how = "Drag it, or use the arrow keys.";
    surface.setAttribute("aria-label", `Image of a ${now.digit.label}. Arrow keys move the digit.`);
    caption.textContent = `A ${now.digit.label}, ${moved(now)}. ${how}`;
  };
  return { node, draw };
}

function answers() {
  const node = element("div");
  const missing = element("p", "mnist-missing", missingNetworks());
  const draw = ({ answer, digit }) => {
    const found = Object.entries(answer).map(([name, probabilities]) => {
      const remark = indexOfLargest(probabilities) === digit.label ? "" : ", wrong";
      return networkAnswer(NETWORK_NAMES[name], probabilities, remark);
    });
    const whose = "The networks that this run has kept, trained at full length:";
    if (found.length > 0) found.unshift(element("p", "", whose));
    node.replaceChildren(...found, missing);
  };
  return { node, draw };
}

function line(number) {
  const style = `stroke: var(--shift-line-${number}); stroke-dasharray: ${DASHES[number]}`;
  return { class: "line", style };
}

// The curves of `plot_shifts`, with a mark at the shift of the digit.
function curve(shifts, curves) {
  const { chart, mark, x, y } = axes(shifts);
  curves.forEach(({ accuracies }, number) => {
    const points = shifts.map((shift, i) => `${x(shift)} ${y(accuracies[i])}`);
    chart.append(svgElement("path", { ...line(number), d: `M${points.join("L")}` }));
  });

  const legend = element("ul");
  const entries = curves.map((_, number) => {
    const sample = svgElement("svg", { viewBox: "0 0 36 10", "aria-hidden": "true" });
    sample.append(svgElement("path", { ...line(number), d: "M0 5H36" }));
    const [entry, text] = [element("li"), element("span")];
    entry.append(sample, text);
    legend.append(entry);
    return text;
  });
  const title = element("figcaption");
  const node = element("figure", "mnist-shift-curve");
  node.append(title, chart, legend);

  const draw = ({ down, right }) => {
    const shift = Math.max(Math.abs(down), Math.abs(right));
    mark.setAttribute("d", `M${x(shift)} ${y(1)}V${y(0)}`);
    const values = curves.map(
      ({ name, accuracies }) => `${name} ${percent(accuracies[shifts.indexOf(shift)])}`,
    );
    entries.forEach((entry, number) => {
      entry.textContent = values[number];
    });
    chart.setAttribute("aria-label", `Accuracy by shift. At ${shift}: ${values.join(", ")}`);
    const slanted = " They were moved in one direction only: the mark is at the larger of the two.";
    const both = down !== 0 && right !== 0 ? slanted : "";
    const whose = "Accuracy of this notebook’s contestants, trained on blocks,";
    title.textContent = `${whose} on digits shifted by ${shift}.${both}`;
  };
  return { node, draw };
}

// The chart's grid and numbers, a mark to be moved, and where a shift and an accuracy lie.
function axes(shifts) {
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
  const mark = svgElement("path", { class: "mark" });
  chart.append(
    svgElement("text", { x: 165, y: 183, "text-anchor": "middle" }, "shift in pixels"),
    mark,
  );
  return { chart, mark, x, y };
}

export default { render };
