// The browser's half of DrawingPad (pad.py): draws, sends finished strokes, shows answers.

const SVG = "http://www.w3.org/2000/svg";
const KEY_STEP = 0.03; // of the pad's side, for drawing by keyboard
const SMALLEST_MOVE = 0.004; // shorter moves add points but no shape
const PATIENCE_MS = 4000;

function element(tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function button(text, onClick) {
  const node = element("button", "mnist-pad-button", text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

// Strokes are lists of [x, y] from 0 to 1; the SVG uses the same units.
function line(points) {
  const node = document.createElementNS(SVG, "polyline");
  // A single point is repeated: a line needs two for its round caps to show.
  const all = points.length === 1 ? [points[0], points[0]] : points;
  node.setAttribute("points", all.map((p) => p.join(",")).join(" "));
  return node;
}

function picture({ name, width, height, pixels }) {
  const figure = element("figure", "mnist-pad-picture");
  const canvas = element("canvas", "mnist-pad-pixels");
  canvas.width = width;
  canvas.height = height;
  // Everything is shown at the scale of 28 × 28, except the larger crop.
  const shown = Math.max(width, height) > 28 ? 54 / Math.max(width, height) : 2.7;
  canvas.style.width = `${width * shown}px`;
  canvas.style.height = `${height * shown}px`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${name}, ${width} by ${height} pixels`);
  const bytes = atob(pixels);
  const context = canvas.getContext("2d");
  const data = context.createImageData(width, height);
  for (let i = 0; i < bytes.length; i++) {
    const grey = bytes.charCodeAt(i);
    data.data.set([grey, grey, grey, 255], 4 * i);
  }
  context.putImageData(data, 0, 0);
  const frame = element("div", "mnist-pad-frame");
  frame.append(canvas);
  // "20 × 20" is not broken across lines.
  figure.append(frame, element("figcaption", "", name.replaceAll(" × ", "\u00a0×\u00a0")));
  return figure;
}

function bars({ name, probabilities }) {
  const best = probabilities.indexOf(Math.max(...probabilities));
  const percent = Math.round(100 * probabilities[best]);
  const group = element("div", "mnist-pad-network");
  group.dataset.network = name;
  group.dataset.digit = best;
  group.append(element("div", "mnist-pad-verdict", `${name}: ${best} (${percent} %)`));
  const chart = element("div", "mnist-pad-bars");
  chart.setAttribute("role", "img");
  const values = probabilities.map((p, digit) => `${digit}: ${Math.round(100 * p)} %`);
  chart.setAttribute("aria-label", `Probabilities of the ${name}. ${values.join(", ")}`);
  probabilities.forEach((probability, digit) => {
    const column = element("div", digit === best ? "mnist-pad-bar best" : "mnist-pad-bar");
    column.title = values[digit];
    const space = element("div", "mnist-pad-bar-space");
    const bar = element("div", "mnist-pad-bar-fill");
    bar.style.height = `${100 * probability}%`;
    space.append(bar);
    column.append(space, element("div", "", String(digit)));
    chart.append(column);
  });
  group.append(chart);
  return group;
}

function render({ model, el }) {
  const root = element("div", "mnist-pad");

  const surface = document.createElementNS(SVG, "svg");
  surface.setAttribute("viewBox", "0 0 1 1");
  surface.setAttribute("class", "mnist-pad-surface");
  surface.setAttribute("tabindex", "0");
  surface.setAttribute("role", "application");
  surface.setAttribute(
    "aria-label",
    "Drawing pad. Arrow keys move the pen, Space puts it down and lifts it.",
  );
  const ink = document.createElementNS(SVG, "g");
  const cursor = document.createElementNS(SVG, "circle");
  cursor.setAttribute("class", "mnist-pad-cursor");
  cursor.setAttribute("r", "0.05");
  surface.append(ink, cursor);

  const undo = button("Undo", () => send(model.get("strokes").slice(0, -1)));
  const clear = button("Clear", () => send([]));
  const centering = element("input", "");
  centering.type = "checkbox";
  const switchLabel = element("label", "mnist-pad-switch");
  switchLabel.append(centering, " centre and scale as MNIST did");
  const label = element("select", "mnist-pad-label");
  label.setAttribute("aria-label", "The digit that you drew");
  label.append(new Option("this is a …", ""));
  for (let digit = 0; digit < 10; digit++) label.append(new Option(`this is a ${digit}`, digit));
  const save = button("Save", () => model.send({ save: Number(label.value) }));
  const message = element("div", "mnist-pad-message");
  message.setAttribute("role", "status");
  const answer = element("div", "mnist-pad-answer");
  answer.setAttribute("aria-live", "polite");

  // JupyterLab's one-key shortcuts (D D deletes a cell) must not act on keys meant for the pad.
  // It looks for this on the focused element itself first.
  for (const focusable of [surface, undo, clear, centering, label, save]) {
    focusable.setAttribute("data-lm-suppress-shortcuts", "true");
  }

  const editing = element("div", "mnist-pad-row");
  editing.append(undo, clear);
  const saving = element("div", "mnist-pad-row");
  saving.append(label, save);
  const left = element("div", "mnist-pad-left");
  left.append(surface, editing, switchLabel, saving, message);
  root.append(left, answer);
  el.append(root);

  let current = null; // the stroke being drawn
  let pointer = null; // the finger, pen or mouse that draws it
  let penDown = false; // drawing by keyboard
  let pen = [0.5, 0.2];
  let timer = null;

  function send(strokes) {
    model.set("strokes", strokes);
    waitForAnswer();
    model.save_changes();
  }

  function waitForAnswer() {
    clearTimeout(timer);
    timer = setTimeout(() => {
      message.textContent = "No answer yet: the kernel is busy, or it has to be restarted.";
    }, PATIENCE_MS);
  }

  function showStrokes() {
    const strokes = model.get("strokes");
    ink.replaceChildren(...strokes.map(line));
    if (current) ink.append(line(current));
    undo.disabled = clear.disabled = strokes.length === 0;
    showSaving();
  }

  function showSaving() {
    save.disabled = model.get("strokes").length === 0 || label.value === "";
  }

  function showAnswer() {
    clearTimeout(timer);
    message.textContent = "";
    const { hint, strokes, centered, steps, seen, networks } = model.get("answer");
    answer.dataset.strokes = hint ? 0 : strokes;
    answer.dataset.centered = centered;
    if (hint) {
      answer.replaceChildren(element("p", "mnist-pad-hint", hint));
      return;
    }
    const way = element("div", "mnist-pad-steps");
    way.append(...(centered ? steps : [seen]).map(picture));
    answer.replaceChildren(way, ...networks.map(bars));
  }

  function showSwitch() {
    centering.checked = model.get("centered");
  }

  function showMessage() {
    message.textContent = model.get("message");
  }

  function finish() {
    if (!current) return;
    const strokes = [...model.get("strokes"), current];
    current = null;
    pointer = null;
    penDown = false;
    cursor.classList.remove("down");
    send(strokes);
  }

  function position(event) {
    const box = surface.getBoundingClientRect();
    const inside = (value) => Math.round(1e4 * Math.min(1, Math.max(0, value))) / 1e4;
    return [
      inside((event.clientX - box.left) / box.width),
      inside((event.clientY - box.top) / box.height),
    ];
  }

  function extend(point) {
    const last = current[current.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) < SMALLEST_MOVE) return;
    current.push(point);
    ink.lastChild.replaceWith(line(current));
  }

  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || pointer !== null) return;
    finish(); // a stroke begun by keyboard
    event.preventDefault();
    cursor.classList.remove("shown");
    surface.focus({ preventScroll: true });
    surface.setPointerCapture(event.pointerId);
    pointer = event.pointerId;
    current = [position(event)];
    ink.append(line(current));
  });
  surface.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pointer) return;
    // All positions since the last frame: fast strokes stay round.
    for (const part of event.getCoalescedEvents?.() ?? [event]) extend(position(part));
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    surface.addEventListener(end, (event) => {
      if (event.pointerId === pointer) finish();
    });
  }

  const arrows = {
    ArrowLeft: [-KEY_STEP, 0],
    ArrowRight: [KEY_STEP, 0],
    ArrowUp: [0, -KEY_STEP],
    ArrowDown: [0, KEY_STEP],
  };
  function showPen() {
    cursor.setAttribute("cx", pen[0]);
    cursor.setAttribute("cy", pen[1]);
    cursor.classList.toggle("down", penDown);
  }
  surface.addEventListener("keydown", (event) => {
    if (pointer !== null) return;
    const move = arrows[event.key];
    if (move) {
      pen = pen.map((value, i) => Math.min(1, Math.max(0, Math.round(1e4 * (value + move[i])) / 1e4)));
      if (penDown) extend(pen);
    } else if (event.key === " " && penDown) {
      finish();
    } else if (event.key === " ") {
      penDown = true;
      current = [pen];
      ink.append(line(current));
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    showPen();
  });
  // Also the Tab that leads here: whoever comes by keyboard sees where the pen is.
  surface.addEventListener("keyup", () => cursor.classList.add("shown"));
  surface.addEventListener("blur", () => {
    cursor.classList.remove("shown");
    if (penDown) finish();
  });

  label.addEventListener("change", showSaving);
  centering.addEventListener("change", () => {
    model.set("centered", centering.checked);
    if (model.get("strokes").length > 0) waitForAnswer();
    model.save_changes();
  });

  const listeners = {
    "change:strokes": showStrokes,
    "change:answer": showAnswer,
    "change:centered": showSwitch,
    "change:message": showMessage,
  };
  for (const [name, listener] of Object.entries(listeners)) {
    model.on(name, listener);
    listener();
  }
  showPen();
  return () => {
    clearTimeout(timer);
    for (const [name, listener] of Object.entries(listeners)) model.off(name, listener);
  };
}

export default { render };
