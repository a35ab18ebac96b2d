// The browser's half of DrawingPad (pad.py): draws, sends finished strokes, shows answers.
// Its parts take the model (anywidget's, or any object with its methods) and give a node to
// show, and a function that stops them following the model. Needs parts.js before it.

const KEY_STEP = 0.03; // of the pad's side, for drawing by keyboard
const SMALLEST_MOVE = 0.004; // shorter moves add points but no shape
const KEYBOARD = "keyboard"; // holds the pen, as a pointer does by its number

function render({ model, el }) {
  const message = messageLine(model);
  const send = (name, value) => {
    model.set(name, value);
    // The switch changes nothing on an empty pad: no answer would come.
    if (name === "strokes" || model.get("strokes").length > 0) message.waitForAnswer();
    model.save_changes();
  };
  const parts = [
    drawingSurface(model, send),
    editButtons(model, send),
    centeringSwitch(model, send),
    savingRow(model),
    message,
  ];
  const answer = answerView(model);

  const left = element("div", "mnist-pad-left");
  left.append(...parts.map((part) => part.node));
  const root = element("div", "mnist-view mnist-pad");
  root.style.setProperty("--pad-pen", model.get("pen"));
  root.append(left, answer.node);
  el.append(root);
  return () => {
    for (const part of [...parts, answer]) part.stop();
  };
}

// --- the drawing surface -------------------------------------------------------------------

// Strokes are lists of [x, y] from 0 to 1; the SVG uses the same units.
function drawingSurface(model, send) {
  const node = svgElement("svg", {
    viewBox: "0 0 1 1",
    class: "mnist-surface mnist-pad-surface",
    tabindex: "0",
    role: "application",
    "aria-label": "Drawing pad. Arrow keys move the pen, Space puts it down and lifts it.",
  });
  keepShortcutsAway(node);
  const ink = svgElement("g", {});
  const cursor = svgElement("circle", { class: "mnist-pad-cursor", r: "0.05" });
  node.append(ink, cursor);

  const pen = penFor(model, send, ink, cursor);
  drawByPointer(node, cursor, pen);
  drawByKeyboard(node, cursor, pen);

  const stop = follow(model, "strokes", () => {
    ink.replaceChildren(...model.get("strokes").map(line));
    if (pen.stroke) ink.append(line(pen.stroke));
  });
  return { node, stop };
}

// The pen, which draws a stroke into `ink` from where it is put down until it is lifted.
function penFor(model, send, ink, cursor) {
  const pen = {
    holder: null, // who draws: a pointer's number, KEYBOARD, or nobody
    stroke: null, // what was drawn since the pen is down
    putDown(holder, point) {
      pen.holder = holder;
      pen.stroke = [point];
      ink.append(line(pen.stroke));
    },
    move([x, y]) {
      const [lastX, lastY] = pen.stroke[pen.stroke.length - 1];
      if (Math.hypot(x - lastX, y - lastY) < SMALLEST_MOVE) return;
      pen.stroke.push([x, y]);
      ink.lastChild.replaceWith(line(pen.stroke));
    },
    drop() {
      pen.holder = null;
      pen.stroke = null;
      ink.lastChild.remove();
    },
    lift() {
      const strokes = [...model.get("strokes"), pen.stroke];
      pen.holder = null;
      pen.stroke = null;
      cursor.classList.remove("down");
      send("strokes", strokes);
    },
  };
  return pen;
}

function line(points) {
  // A single point is repeated: a line needs two for its round caps to show.
  const all = points.length === 1 ? [points[0], points[0]] : points;
  return svgElement("polyline", { points: all.map((point) => point.join(",")).join(" ") });
}

// The nearest point on the pad, in few decimals.
function onPad(x, y) {
  return [x, y].map((value) => Math.round(1e4 * clamp(value, 0, 1)) / 1e4);
}

function drawByPointer(surface, cursor, pen) {
  const position = (event) => {
    const box = surface.getBoundingClientRect();
    return onPad((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  let touching = false; // whether the pointer that draws is a touch
  let penSeen = false;
  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const touch = event.pointerType === "touch";
    penSeen = penSeen || event.pointerType === "pen";
    if (touch && penSeen) return; // a palm
    if (pen.holder === KEYBOARD) pen.lift();
    // A pen takes the pad from the palm that rests on it; else the first to come draws alone.
    if (pen.holder !== null && touching && !touch) pen.drop();
    if (pen.holder !== null) return;
    touching = touch;
    event.preventDefault();
    cursor.classList.remove("shown");
    surface.focus({ preventScroll: true });
    surface.setPointerCapture(event.pointerId);
    pen.putDown(event.pointerId, position(event));
  });
  surface.addEventListener("pointermove", (event) => {
    if (event.pointerId !== pen.holder) return;
    // All positions since the last frame: fast strokes stay round.
    for (const part of event.getCoalescedEvents?.() ?? [event]) pen.move(position(part));
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
    surface.addEventListener(end, (event) => {
      if (event.pointerId === pen.holder) pen.lift();
    });
  }
}

function drawByKeyboard(surface, cursor, pen) {
  let [x, y] = [0.5, 0.2];
  const showCursor = () => {
    cursor.setAttribute("cx", x);
    cursor.setAttribute("cy", y);
    cursor.classList.toggle("down", pen.holder === KEYBOARD);
  };
  surface.addEventListener("keydown", (event) => {
    if (pen.holder !== null && pen.holder !== KEYBOARD) return;
    const step = ARROWS[event.key];
    if (step) {
      [x, y] = onPad(x + KEY_STEP * step[1], y + KEY_STEP * step[0]);
      if (pen.holder === KEYBOARD) pen.move([x, y]);
    } else if (event.key !== " ") {
      return;
    } else if (pen.holder === KEYBOARD) {
      pen.lift();
    } else {
      pen.putDown(KEYBOARD, [x, y]);
    }
    event.preventDefault();
    event.stopPropagation();
    showCursor();
  });
  // Also the Tab that leads here: whoever comes by keyboard sees where the pen is.
  surface.addEventListener("keyup", () => cursor.classList.add("shown"));
  surface.addEventListener("blur", () => {
    cursor.classList.remove("shown");
    if (pen.holder === KEYBOARD) pen.lift();
  });
  showCursor();
}

// --- the controls --------------------------------------------------------------------------

function editButtons(model, send) {
  const undo = button("Undo", () => send("strokes", model.get("strokes").slice(0, -1)));
  const clear = button("Clear", () => send("strokes", []));
  const stop = follow(model, "strokes", () => {
    undo.disabled = clear.disabled = model.get("strokes").length === 0;
  });
  return { node: inRow(undo, clear), stop };
}

function centeringSwitch(model, send) {
  const box = control("input");
  box.type = "checkbox";
  box.addEventListener("change", () => send("centered", box.checked));
  const node = element("label", "mnist-pad-switch");
  node.append(box, " centre and scale as MNIST did");
  const stop = follow(model, "centered", () => {
    box.checked = model.get("centered");
  });
  return { node, stop };
}

function savingRow(model) {
  const label = control("select", "mnist-control");
  label.setAttribute("aria-label", "The digit that you drew");
  label.append(new Option("this is a …", ""));
  for (let digit = 0; digit < 10; digit++) label.append(new Option(`this is a ${digit}`, digit));
  const save = button("Save", () => model.send({ save: Number(label.value) }));
  const show = () => {
    save.disabled = model.get("strokes").length === 0 || label.value === "";
  };
  label.addEventListener("change", show);
  return { node: inRow(label, save), stop: follow(model, "strokes", show) };
}

// What came of the saving, or that the kernel does not answer.
function messageLine(model) {
  const node = element("div", "mnist-pad-message");
  node.setAttribute("role", "status");
  const say = (text) => {
    node.textContent = text;
  };
  const patience = patienceThat(say);
  const stopAnswer = follow(model, "answer", () => {
    patience.stop();
    say("");
  });
  const stopMessage = follow(model, "message", () => say(model.get("message")));
  const stop = () => {
    patience.stop();
    stopAnswer();
    stopMessage();
  };
  return { node, stop, waitForAnswer: patience.start };
}

// --- the answer ----------------------------------------------------------------------------

function answerView(model) {
  const node = element("div", "mnist-pad-answer");
  node.setAttribute("aria-live", "polite");
  const stop = follow(model, "answer", () => {
    const { hint, strokes, centered, pictures, networks } = model.get("answer");
    node.dataset.strokes = hint ? 0 : strokes;
    node.dataset.centered = centered;
    if (hint) {
      node.replaceChildren(element("p", "mnist-pad-hint", hint));
      return;
    }
    const steps = element("div", "mnist-pad-steps");
    steps.append(...pictures.map(pictureView));
    const answers = networks.map(({ name, probabilities }) => networkAnswer(name, probabilities));
    node.replaceChildren(steps, ...answers);
  });
  return { node, stop };
}

function pictureView({ name, width, height, scale, pixels }) {
  const canvas = pixelCanvas(width, height);
  canvas.style.width = `calc(${width * scale} * var(--pad-pixel))`;
  canvas.style.height = `calc(${height * scale} * var(--pad-pixel))`;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${name}, ${width} by ${height} pixels`);
  paint(canvas, bytesOf(pixels).map(inkColour));
  const frame = element("div", "mnist-pad-frame");
  frame.append(canvas);
  const figure = element("figure", "mnist-pad-picture");
  // "20 × 20" is not broken across lines.
  figure.append(frame, element("figcaption", "", name.replaceAll(" × ", "\u00a0×\u00a0")));
  return figure;
}

export default { render };
