"""A drawing pad for the notebook, and the small collection of digits saved from it.

The drawing happens in the browser; only finished strokes travel to the kernel, so the pad
stays smooth on a slow connection.
"""

import base64
from pathlib import Path

import anywidget
import numpy as np
import traitlets
from IPython.display import display

from .files import artifacts_folder, write_atomically
from .images import center_in_box, crop_to_ink, draw_strokes, fit_in_box, prepare_strokes

EMPTY_HINT = "Draw a digit from 0 to 9, large, with one or more strokes."

PICTURE_TEXT = (
    "The pad in use: a drawn 5 on the left with the buttons Undo, Clear and Save below it; on "
    "the right four small pictures of its preparation, and for each network ten bars, of which "
    "the one of the 5 is full."
)


def collection_path() -> Path:
    """Where the learner's own digits are kept."""
    return artifacts_folder() / "my_digits.npz"


def load_collection(path: Path) -> dict[str, np.ndarray]:
    """The saved digits: "centered" and "as_drawn", uint8 (n, 28, 28), and "labels", uint8 (n,).

    Gives arrays of length 0 where nothing was saved yet. Raises ValueError if the file is not
    a collection.
    """
    if not path.exists():
        empty = np.zeros((0, 28, 28), np.uint8)
        return {"centered": empty, "as_drawn": empty, "labels": np.zeros(0, np.uint8)}
    try:
        with np.load(path, allow_pickle=False) as file:
            digits = {name: file[name] for name in ("centered", "as_drawn", "labels")}
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
        raise ValueError(f"{path.name} cannot be read: rename or delete it") from error
    count = len(digits["labels"]) if digits["labels"].ndim == 1 else -1
    shapes_fit = all(digits[name].shape == (count, 28, 28) for name in ("centered", "as_drawn"))
    if not shapes_fit or any(array.dtype != np.uint8 for array in digits.values()):
        raise ValueError(f"{path.name} is not a collection of digits: rename or delete it")
    return digits


def add_to_collection(path: Path, strokes: list, label: int) -> int:
    """Save a drawing with its label, both centred and as drawn; give the new count.

    Raises ValueError for a label that is not 0 to 9, an empty drawing or a damaged file,
    and OSError where the file cannot be written.
    """
    if isinstance(label, bool) or label not in range(10):
        raise ValueError(f"expected a label from 0 to 9, got {label!r}")
    new = {
        "centered": prepare_strokes(strokes),
        "as_drawn": prepare_strokes(strokes, centered=False),
        "labels": np.uint8(label),
    }
    old = load_collection(path)
    digits = {name: np.concatenate([old[name], new[name][np.newaxis]]) for name in old}

    def write(temporary):
        # An open file, because `savez` would add ".npz" to a name.
        with open(temporary, "wb") as file:
            np.savez_compressed(file, **digits)

    write_atomically(path, write)
    return len(digits["labels"])


def preparation_steps(strokes: list) -> dict[str, np.ndarray]:
    """The pictures on the way from a drawing to an MNIST-like image, by name, all uint8.

    Raises ValueError as `prepare_strokes` does.
    """
    ink = crop_to_ink(draw_strokes(strokes))
    return {
        "as drawn": prepare_strokes(strokes, centered=False),
        "cropped": ink,
        "fitted into 20 × 20": fit_in_box(ink),
        "centred in 28 × 28": center_in_box(ink),
    }


def show_picture_of_pad() -> None:
    """Show a picture of the pad in use, for readers without a running kernel."""
    picture = Path(__file__).with_name("pad.png").read_bytes()
    display(
        {"image/png": picture, "text/plain": PICTURE_TEXT},
        raw=True,
        metadata={"image/png": {"alt": PICTURE_TEXT}},
    )


class DrawingPad(anywidget.AnyWidget):
    """A pad to draw a digit on; the networks answer after each stroke.

    `networks` maps the names to show to Keras networks that take (batch, 28, 28) and give
    (batch, 10). `strokes` holds the drawing, as `prepare_strokes` takes it; setting it from
    Python does what drawing does. `answer` holds what the pad shows.
    """

    _esm = Path(__file__).with_name("pad.js")
    _css = Path(__file__).with_name("pad.css")

    strokes = traitlets.List().tag(sync=True)
    centered = traitlets.Bool(True).tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)

    def __init__(self, networks: dict, collection: Path | None = None):
        self._networks = networks
        self._collection = collection or collection_path()
        # The first call of a network builds its function: better now than after a stroke.
        for network in networks.values():
            network.predict_on_batch(np.zeros((1, 28, 28), np.uint8))
        super().__init__(answer={"hint": EMPTY_HINT})
        self.observe(self._answer, names=["strokes", "centered"])
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return "DrawingPad: needs a running kernel to draw on"

    def save(self, label: int) -> None:
        """Add the drawing to the collection; `message` says how that went."""
        self.message = ""  # so that the same answer twice is a change twice
        try:
            count = add_to_collection(self._collection, self.strokes, label)
        except (ValueError, OSError) as error:
            self.message = f"Not saved: {error}"
        else:
            self.message = f"Saved as a {label}: {count} in {self._collection.name}"

    def _on_message(self, _, content, buffers):
        if isinstance(content, dict) and "save" in content:
            self.save(content["save"])

    def _answer(self, _):
        try:
            image = prepare_strokes(self.strokes, self.centered)
            steps = preparation_steps(self.strokes)
        except ValueError as error:
            self.answer = {"hint": EMPTY_HINT if not self.strokes else str(error)}
            return
        networks = []
        for name, network in self._networks.items():
            probabilities = network.predict_on_batch(image[np.newaxis])[0]
            networks.append({"name": name, "probabilities": [float(p) for p in probabilities]})
        self.answer = {
            # With these two the answer changes whenever the drawing or the switch does.
            "strokes": len(self.strokes),
            "centered": self.centered,
            "steps": [_as_json(name, picture) for name, picture in steps.items()],
            "seen": _as_json("what the networks see", image),
            "networks": networks,
        }


def _as_json(name: str, picture: np.ndarray) -> dict:
    height, width = picture.shape
    pixels = base64.b64encode(picture.tobytes()).decode()
    return {"name": name, "height": height, "width": width, "pixels": pixels}
