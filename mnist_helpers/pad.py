"""A drawing pad for the notebook, and the small collection of digits saved from it.

The drawing happens in the browser; only finished strokes travel to the kernel, so the pad
stays smooth on a slow connection.
"""

import base64
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from .files import artifacts_folder, place, write_atomically
from .images import BOX, PEN, SIDE, preparation_steps, prepare_strokes
from .shown import show

EMPTY_HINT = "Draw a digit from 0 to 9, large, with one or more strokes."

PICTURE_TEXT = (
    "The pad in use: a drawn 5 on the left with the buttons Undo, Clear and Save below it; on "
    "the right four small pictures of its preparation, and for each network ten bars, of which "
    "the one of the 5 is full."
)


def collection_path() -> Path:
    """The file of the learner's own digits, `my_digits.npz`; it need not exist."""
    return artifacts_folder() / "my_digits.npz"


def load_collection(path: Path) -> dict[str, np.ndarray]:
    """The saved digits: "centered" and "as_drawn", uint8 (n, 28, 28), and "labels", uint8 (n,).

    Gives arrays of length 0 where nothing was saved yet. Raises ValueError if the file cannot
    be read or is not a collection.
    """
    if not path.exists():
        empty = np.zeros((0, SIDE, SIDE), np.uint8)
        return {"centered": empty, "as_drawn": empty, "labels": np.zeros(0, np.uint8)}
    try:
        with np.load(path, allow_pickle=False) as file:
            digits = {name: file[name] for name in ("centered", "as_drawn", "labels")}
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
        raise ValueError(f"{place(path)} cannot be read: rename or delete it") from error
    count = len(digits["labels"]) if digits["labels"].ndim == 1 else -1
    shapes_fit = all(digits[name].shape == (count, SIDE, SIDE) for name in ("centered", "as_drawn"))
    if not shapes_fit or any(array.dtype != np.uint8 for array in digits.values()):
        raise ValueError(f"{place(path)} is not a collection of digits: rename or delete it")
    return digits


def add_to_collection(path: Path, strokes: list, label: int) -> int:
    """Save a drawing with its label, both centred and as drawn; give the new count.

    `strokes` is a drawing as `prepare_strokes` takes it. Raises ValueError for a label that is
    no whole number from 0 to 9, an empty drawing or a damaged file, which stays as it is, and
    OSError where the file cannot be written.
    """
    if isinstance(label, bool) or label not in range(10):
        raise ValueError(f"expected a label from 0 to 9, got {label!r}")
    as_drawn, _, _, centered = preparation_steps(strokes).values()
    new = {"centered": centered, "as_drawn": as_drawn, "labels": np.uint8(label)}
    old = load_collection(path)
    digits = {name: np.concatenate([old[name], new[name][np.newaxis]]) for name in old}

    def write(temporary):
        # An open file, because `savez` would add ".npz" to a name.
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **digits)

    write_atomically(path, write)
    return len(digits["labels"])


def show_picture_of_pad() -> None:
    """Show a picture of the pad in use, for readers without a running kernel."""
    picture = Path(__file__).with_name("pad.png").read_bytes()
    show(
        {"image/png": picture, "text/plain": PICTURE_TEXT},
        metadata={"image/png": {"alt": PICTURE_TEXT, "width": 760, "height": 430}},
    )


class DrawingPad(anywidget.AnyWidget):
    """A pad to draw a digit on; the networks answer after each stroke.

    `networks` maps the names to show to Keras networks that take uint8 (batch, 28, 28) and
    give ten probabilities, (batch, 10); a network that takes another shape raises its own
    ValueError here. `collection` is the file for saved digits, by default `collection_path()`.

    `strokes` holds the drawing, as `prepare_strokes` takes it; setting it from Python does what
    drawing does. `centered` says whether the networks get it centred. `answer` holds what the
    pad shows: the pictures and the probabilities, or only a "hint" where the pad is empty or
    the strokes are refused.
    """

    _esm = Path(__file__).with_name("pad.js")
    _css = Path(__file__).with_name("pad.css")

    strokes = traitlets.List().tag(sync=True)
    centered = traitlets.Bool(True).tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    # The width of the pen, as a fraction of the pad's side.
    pen = traitlets.Float(PEN / SIDE, read_only=True).tag(sync=True)

    def __init__(self, networks: dict, collection: Path | None = None):
        self._networks = networks
        self._collection = collection or collection_path()
        # The first call of a network builds its function: better now than after a stroke.
        for network in networks.values():
            network.predict_on_batch(np.zeros((1, SIDE, SIDE), np.uint8))
        super().__init__(answer={"hint": EMPTY_HINT})
        self.observe(self._answer, names=["strokes", "centered"])
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return "DrawingPad: needs a running kernel to draw on"

    def save(self, label: int) -> None:
        """Add the drawing to the collection; `message` says how that went, errors too."""
        self.message = ""  # so that the same answer twice is a change twice
        try:
            count = add_to_collection(self._collection, self.strokes, label)
        except (ValueError, OSError) as error:
            self.message = f"Not saved: {error}"
        else:
            self.message = f"Saved as a {label}: {count} in {place(self._collection)}"

    def _on_message(self, _, content, buffers):
        if isinstance(content, dict) and "save" in content:
            self.save(content["save"])

    def _answer(self, _):
        try:
            if self.centered:
                pictures = preparation_steps(self.strokes)
            else:
                drawing = prepare_strokes(self.strokes, centered=False)
                pictures = {"what the networks see": drawing}
        except ValueError as error:
            self.answer = {"hint": EMPTY_HINT if not self.strokes else str(error)}
            return
        *_, image = pictures.values()  # the last is for the networks
        networks = []
        for name, network in self._networks.items():
            probabilities = network.predict_on_batch(image[np.newaxis])[0]
            networks.append({"name": name, "probabilities": [float(p) for p in probabilities]})
        self.answer = {
            # With these two the answer changes whenever the drawing or the switch does.
            "strokes": len(self.strokes),
            "centered": self.centered,
            "pictures": [_as_json(name, picture) for name, picture in pictures.items()],
            "networks": networks,
        }


def _as_json(name: str, picture: np.ndarray) -> dict:
    height, width = picture.shape
    longer = max(height, width)
    return {
        "name": name,
        "height": height,
        "width": width,
        # All are shown at the scale of 28 × 28, except the larger crop: it becomes as large as
        # the box into which it is fitted.
        "scale": 1 if longer <= SIDE else BOX / longer,
        "pixels": base64.b64encode(picture.tobytes()).decode(),
    }
