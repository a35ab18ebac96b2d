// The browser's half of PictureUpload (pad.py): makes a picture small, sends it, shows the answer.
// Needs parts.js before it.

const LARGEST_SIDE = 1600; // pixels, of what is sent
const LARGEST_FILE = 8 * 2 ** 20; // bytes; Jupyter takes no message of more than 10 MiB
const JPEG_QUALITY = 0.95;

function render({ model, el }) {
  const input = element("input");
  input.type = "file";
  input.accept = "image/*";
  input.hidden = true;
  const message = element("p", "mnist-upload-message", "No picture yet.");
  message.setAttribute("role", "status");
  const answer = element("div", "mnist-upload-answer");
  const say = (text) => {
    message.textContent = text;
  };
  const patience = patienceThat(say);
  let latest = 0; // the time of the last choice, which its answer repeats

  input.addEventListener("change", async () => {
    const [file] = input.files;
    const number = Date.now();
    latest = number;
    input.value = ""; // so that the same file can be chosen again
    answer.replaceChildren();
    say(`${file.name}: being read …`);
    patience.stop();
    try {
      const picture = await madeSmall(file);
      if (number !== latest) return;
      if (picture.size > LARGEST_FILE) {
        say(`${file.name}: too large to send as it is; save it as JPEG or PNG`);
        return;
      }
      const bytes = await picture.arrayBuffer();
      if (number !== latest) return;
      model.send({ name: file.name, number }, undefined, [bytes]);
      patience.start();
    } catch (error) {
      say(`${file.name}: the browser cannot read this file (${error.message})`);
    }
  });
  const stop = follow(model, "answer", () => {
    const { number, name, error, picture, networks } = model.get("answer");
    if (!number || number < latest) return; // none yet, or that of an earlier choice
    patience.stop();
    say(error ? `${name}: ${error}` : name);
    answer.replaceChildren();
    if (error) return;
    const canvas = pixelCanvas(DIGIT_SIDE);
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "The picture, prepared: 28 by 28 pixels");
    paint(canvas, bytesOf(picture.pixels).map(inkColour));
    answer.append(canvas, ...networks.map((n) => networkAnswer(n.name, n.probabilities)));
  });

  const root = element("div", "mnist-view mnist-upload");
  root.append(
    button("Upload a picture", () => input.click()),
    input,
    message,
    answer,
  );
  el.append(root);
  return () => {
    patience.stop();
    stop();
  };
}

// A picture of at most LARGEST_SIDE a side, turned as its EXIF data say; a file that the browser
// cannot show, as it is: the kernel may read it, or says why not.
async function madeSmall(file) {
  const address = URL.createObjectURL(file);
  const picture = new Image();
  picture.src = address;
  try {
    await picture.decode();
  } catch {
    return file;
  } finally {
    URL.revokeObjectURL(address);
  }
  const scale = Math.min(1, LARGEST_SIDE / Math.max(picture.naturalWidth, picture.naturalHeight));
  const canvas = element("canvas");
  canvas.width = Math.max(1, Math.round(scale * picture.naturalWidth));
  canvas.height = Math.max(1, Math.round(scale * picture.naturalHeight));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  // These two have no transparent parts, which JPEG would lose.
  const kind = /jpeg|hei[cf]/.test(file.type) ? "image/jpeg" : "image/png";
  const small = await new Promise((give) => canvas.toBlob(give, kind, JPEG_QUALITY));
  return small ?? file;
}

export default { render };
