// The kernel's half of the drawing pad, in the page: mnist_helpers/pad.py in JavaScript. It
// prepares the drawing, asks the networks, and keeps the digits that are saved.

const EMPTY_HINT = "Draw a digit from 0 to 9, large, with one or more strokes.";
const STORAGE_KEY = "mnist-tutorial-digits";
const FILE_NAME = "my_digits.json";

function mountPad(view, el) {
  const digits = savedDigits();
  const model = padModel(digits);
  view.render({ model, el });
  el.querySelector(".mnist-pad-left").append(savedDigitsView(model, digits));
  // The browser compiles the functions of the networks now, and not after the first stroke.
  answer(new Array(784).fill(255));
  const missing = missingNetworks();
  if (missing) el.append(element("p", "mnist-missing", missing));
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
    const changed = [...digits.all(), { label, strokes: model.get("strokes") }];
    const where = digits.replace(changed) ? "in this browser" : "until this page is closed";
    model.set("message", `Saved as a ${label}: ${changed.length} ${where}`);
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
  const image = Object.values(pictures).pop(); // the last is for the networks
  const networks = Object.entries(answer(image.data)).map(([name, probabilities]) => ({
    name: NETWORK_NAMES[name],
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

// The digits saved on this page, [{ label, strokes }], in the browser's storage. It may be missing
// or refuse, in a private window or where a page is opened from the disk; then they last as long
// as the page.
function savedDigits() {
  let digits = [];
  let lasting = true;
  const all = () => {
    try {
      // Read anew each time: another page may have added some.
      if (lasting) digits = digitsIn(localStorage.getItem(STORAGE_KEY));
    } catch {
      lasting = false;
    }
    return digits;
  };
  const replace = (changed) => {
    digits = changed;
    try {
      localStorage.setItem(STORAGE_KEY, JSON.stringify(changed));
      lasting = true;
    } catch {
      lasting = false;
    }
    return lasting;
  };
  return { all, replace, canLast: () => replace(all()) };
}

// The digits in what is stored; what something else has put there counts as none.
function digitsIn(text) {
  try {
    return [JSON.parse(text)].flat().filter(isSavedDigit);
  } catch {
    return [];
  }
}

function isSavedDigit(digit) {
  try {
    checkStrokes(digit.strokes);
    return Number.isInteger(digit.label) && digit.label >= 0 && digit.label <= 9;
  } catch {
    return false;
  }
}

// Takes the saved digits along as a file, or forgets them.
function savedDigitsView(model, digits) {
  const take = button("Take your digits along", () => download(digits.all()));
  const forget = button("Forget them", () => {
    if (!confirm("Forget all digits that were saved on this page?")) return;
    digits.replace([]);
    model.set("message", "Forgotten");
    // The button that had the focus is gone now.
    node.closest(".mnist-pad").querySelector(".mnist-pad-surface").focus();
  });
  const buttons = inRow(take, forget);
  const where = `They come as ${FILE_NAME}; notebook 06 reads it from artifacts/.`;
  const help = element("p", "mnist-pad-help", where);
  const nothingLasts = "This browser keeps nothing for this page: take your digits along in time.";
  const node = element("div", "mnist-pad-saved");
  node.append(element("p", "mnist-pad-help", digits.canLast() ? "" : nothingLasts), buttons, help);
  const show = () => {
    buttons.hidden = help.hidden = digits.all().length === 0;
  };
  model.on("change:message", show);
  show();
  return node;
}

// As `load_collection` in Python reads it.
function download(digits) {
  const link = element("a");
  const file = JSON.stringify({ version: 1, digits });
  link.href = URL.createObjectURL(new Blob([file], { type: "application/json" }));
  link.download = FILE_NAME;
  link.click();
  // Once the browser has begun to save it.
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
