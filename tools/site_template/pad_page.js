// The kernel's half of the drawing pad, in the page: mnist_helpers/pad.py in JavaScript. It
// prepares the drawing, asks the networks, and keeps the digits that are saved.

import { PageModel } from "./live.js";
import { answer } from "./network.js";
import { npz } from "./npz.js";
import { asPicture, drawAsIs, PEN, preparationSteps, prepareStrokes } from "./prepare.js";

const NAMES = { dense: "dense network", cnn: "CNN", compact: "compact network" };
const EMPTY_HINT = "Draw a digit from 0 to 9, large, with one or more strokes.";
const KEY = "mnist-tutorial-digits"; // in the browser's storage
const FILE = "my_digits.npz";

export function mountPad(view, el) {
  const digits = keptDigits();
  const model = padModel(digits);
  view.render({ model, el });
  el.querySelector(".mnist-pad-left").append(keptRow(model, digits));
  // This first answer also has the browser compile the functions: better now than after a stroke.
  const there = Object.keys(answer(new Array(784).fill(255)));
  const missing = Object.keys(NAMES).filter((name) => !there.includes(name));
  if (missing.length > 0) {
    const names = missing.map((name) => NAMES[name]).join(", ");
    const note = `Not on this page: ${names}. “make run” trains what is missing and puts it here.`;
    el.append(element("p", "mnist-pad-missing", note));
  }
}

function padModel(digits) {
  const model = new PageModel({
    strokes: [],
    centered: true,
    answer: { hint: EMPTY_HINT },
    message: "",
    pen: PEN,
  });
  model.save_changes = () => {
    model.set("answer", answerTo(model.get("strokes"), model.get("centered")));
  };
  model.send = ({ save: label }) => {
    model.set("message", save(digits, model.get("strokes"), label));
  };
  return model;
}

// What DrawingPad._answer gives.
function answerTo(strokes, centered) {
  let pictures;
  try {
    pictures = centered
      ? preparationSteps(strokes)
      : { "what the networks see": drawAsIs(strokes) };
  } catch (error) {
    return { hint: strokes.length === 0 ? EMPTY_HINT : error.message };
  }
  const image = Object.values(pictures).at(-1); // the last is for the networks
  const networks = Object.entries(answer(image.data)).map(([name, probabilities]) => ({
    name: NAMES[name],
    probabilities,
  }));
  return {
    strokes: strokes.length,
    centered,
    pictures: Object.entries(pictures).map(([name, picture]) => asPicture(name, picture)),
    networks,
  };
}

// --- saved digits --------------------------------------------------------------------------

// The digits saved on this page, [{ strokes, label }], in the browser's storage. It may be missing
// or refuse, in a private window or where a page is opened from the disk; then they last as long
// as the page.
function keptDigits() {
  let digits = [];
  let lasting = true;
  const all = () => {
    try {
      // Another page may have added some. What is no list was put there by something else.
      if (lasting) {
        const stored = JSON.parse(localStorage.getItem(KEY) ?? "[]");
        const isDigit = (digit) => Array.isArray(digit?.strokes) && Number.isInteger(digit.label);
        digits = Array.isArray(stored) ? stored.filter(isDigit) : [];
      }
    } catch {
      lasting = false;
    }
    return digits;
  };
  const keep = (changed) => {
    digits = changed;
    try {
      localStorage.setItem(KEY, JSON.stringify(changed));
      lasting = true;
    } catch {
      lasting = false;
    }
    return lasting;
  };
  return { all, keep, canLast: () => keep(all()) };
}

function save(digits, strokes, label) {
  const changed = [...digits.all(), { strokes, label }];
  const where = digits.keep(changed) ? "in this browser" : "until this page is closed";
  return `Saved as a ${label}: ${changed.length} ${where}`;
}

// Takes the saved digits along as a file, or forgets them.
function keptRow(model, digits) {
  const take = button("Take your digits along", () => download(collection(digits.all())));
  const forget = button("Forget them", () => {
    if (!confirm("Forget all digits that were saved on this page?")) return;
    digits.keep([]);
    model.set("message", "Forgotten");
    // The button that had the focus is gone now.
    node.closest(".mnist-pad").querySelector(".mnist-pad-surface").focus();
  });
  const row = element("div", "mnist-pad-row");
  row.append(take, forget);
  const help = element(
    "p",
    "mnist-pad-help",
    `They come as ${FILE}; notebook 06 reads it from artifacts/.`,
  );
  const nothingLasts = "This browser keeps nothing for this page: take your digits along in time.";
  const node = element("div", "mnist-pad-kept");
  node.append(element("p", "mnist-pad-help", digits.canLast() ? "" : nothingLasts), row, help);
  const show = () => {
    row.hidden = help.hidden = digits.all().length === 0;
  };
  model.on("change:message", show);
  show();
  return node;
}

function download(bytes) {
  const link = element("a", "");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = FILE;
  link.click();
  // Once the browser has begun to save it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// The collection as load_collection reads it.
function collection(digits) {
  const images = (centered) => ({
    shape: [digits.length, 28, 28],
    data: Uint8Array.from(digits.flatMap(({ strokes }) => prepareStrokes(strokes, centered))),
  });
  const labels = Uint8Array.from(digits, ({ label }) => label);
  return npz({
    centered: images(true),
    as_drawn: images(false),
    labels: { shape: [digits.length], data: labels },
  });
}

// --- small parts ---------------------------------------------------------------------------

function element(tag, className, text = "") {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text;
  return node;
}

function button(text, onClick) {
  const node = element("button", "mnist-pad-button", text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}
