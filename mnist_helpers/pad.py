"""Digits of one's own: a pad to draw on, an upload of pictures, and the digits that were saved."""

import base64
import io
import json
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from .convolution_view import NOT_LIVE, view_source, with_stand_ins
from .files import artifacts_folder, short_path, write_atomically
from .photographs import prepare_picture, read_picture
from .strokes import BOX, PEN, SIDE, check_strokes, preparation_steps, prepare_strokes

COLLECTION, DAMAGED = "my_digits.json", "is damaged, or of a later version: rename or delete it"
EMPTY_HINT = "Draw a digit from 0 to 9, large, with one or more strokes."
PICTURE_TEXT = (
    "The pad in use: a drawn 5 on the left with the buttons Undo, Clear and Save below it; on "
    "the right four small pictures of its preparation, and for each network ten bars, of which "
    "the one of the 5 is full."
)


def load_collection(path: Path | None = None) -> dict[str, np.ndarray]:
    """The saved digits: "centered" and "as_drawn", uint8 (n, 28, 28), and "labels", uint8 (n,).

    `path` is by default `my_digits.json` where networks are kept. What an earlier version saved
    beside it, in `my_digits.npz`, comes first. Raises ValueError if a file is damaged.
    """
    path = path or artifacts_folder() / COLLECTION
    digits, saved = _read_digits(path), _read_earlier_digits(path.with_suffix(".npz"))
    for name, centered in [("centered", True), ("as_drawn", False)]:
        images = [prepare_strokes(digit["strokes"], centered) for digit in digits]
        saved[name] = np.array([*saved[name], *images], np.uint8).reshape(-1, SIDE, SIDE)
    labels = [digit["label"] for digit in digits]
    return saved | {"labels": np.array([*saved["labels"], *labels], np.uint8)}


def add_to_collection(path: Path, strokes: list, label: int) -> int:
    """Save a drawing, as `prepare_strokes` takes it, with its label; give the new count.

    Raises ValueError for a label that is no whole number from 0 to 9, an empty drawing or a
    damaged file, which stays as it is, and OSError where the file cannot be written.
    """
    new = {"label": _check_label(label), "strokes": [s.tolist() for s in check_strokes(strokes)]}
    digits = [*_read_digits(path), new]
    earlier = len(_read_earlier_digits(path.with_suffix(".npz"))["labels"])
    text = json.dumps({"version": 1, "digits": digits})
    write_atomically(path, lambda part: part.write_text(text, encoding="utf-8"))
    return earlier + len(digits)


def _check_label(label: object) -> int:
    if isinstance(label, bool) or label not in range(10):
        raise ValueError(f"expected a label from 0 to 9, got {label!r}")
    return int(label)


def _read_digits(path: Path) -> list[dict]:
    if not path.exists():
        return []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["version"] != 1:
            raise ValueError("another version")
        for digit in content["digits"]:
            _check_label(digit["label"])
            check_strokes(digit["strokes"])
    except Exception as error:  # whatever is wrong with it
        raise ValueError(f"{short_path(path)} {DAMAGED}") from error
    return content["digits"]


def _read_earlier_digits(path: Path) -> dict[str, np.ndarray]:
    names = ("centered", "as_drawn", "labels")
    if not path.exists():
        return {name: np.zeros(0, np.uint8) for name in names}
    try:
        with np.load(path, allow_pickle=False) as file:
            digits = {name: file[name] for name in names}
        n = digits["labels"].size
        forms = [(array.shape, array.dtype) for array in digits.values()]
        if forms != [((n, SIDE, SIDE), np.uint8)] * 2 + [((n,), np.uint8)]:
            raise ValueError("other arrays")
    except Exception as error:  # NumPy and zipfile raise many kinds for a damaged file
        raise ValueError(f"{short_path(path)} {DAMAGED}") from error
    return digits


class DrawingPad(anywidget.AnyWidget):
    """A pad to draw a digit on, in the browser; the networks answer after each finished stroke.

    `networks` maps the names to show to Keras networks that take uint8 (batch, 28, 28) and give
    probabilities, (batch, 10). `collection` is the file for saved digits. `strokes` holds the
    drawing, as `prepare_strokes` takes it; `centered` says whether the networks get it centred;
    `answer` holds what the pad shows: pictures and probabilities, or a "hint" why there are none.
    """

    _esm = view_source("pad.js")
    _css = view_source("pad.css")

    strokes = traitlets.List().tag(sync=True)
    centered = traitlets.Bool(True).tag(sync=True)
    answer = traitlets.Dict().tag(sync=True)
    message = traitlets.Unicode("").tag(sync=True)
    pen = traitlets.Float(PEN / SIDE, read_only=True).tag(sync=True)  # width, of the pad's side

    def __init__(self, networks: dict, collection: Path | None = None):
        self._networks, self._collection = networks, collection or artifacts_folder() / COLLECTION
        # The first call of a network builds its function: better now than after a stroke.
        _answers(networks, np.zeros((SIDE, SIDE), np.uint8))
        super().__init__(answer={"hint": EMPTY_HINT})
        self.observe(self._answer, names=["strokes", "centered"])
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return PICTURE_TEXT

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        bundle = super()._repr_mimebundle_(**kwargs)
        return with_stand_ins(bundle, {"view": "pad"}, "pad.png", PICTURE_TEXT, (760, 430))

    def save(self, label: int) -> None:
        """Add the drawing to the collection; `message` says how that went, errors too."""
        self.message = ""  # so that the same answer twice is a change twice
        try:
            count = add_to_collection(self._collection, self.strokes, label)
            self.message = f"Saved as a {label}: {count} in {short_path(self._collection)}"
        except (ValueError, OSError) as error:
            self.message = f"Not saved: {error}"

    def _on_message(self, _, content, buffers):
        if isinstance(content, dict) and "save" in content:
            self.save(content["save"])

    def _answer(self, _):
        try:
            pictures = preparation_steps(self.strokes)
        except ValueError as error:
            self.answer = {"hint": EMPTY_HINT if not self.strokes else str(error)}
            return
        if not self.centered:
            pictures = {"what the networks see": pictures["as drawn"]}
        *_, image = pictures.values()  # the last is for the networks
        self.answer = {
            # With these two the answer changes whenever the drawing or the switch does.
            "strokes": len(self.strokes),
            "centered": self.centered,
            "pictures": [_as_json(name, picture) for name, picture in pictures.items()],
            "networks": _answers(self._networks, image),
        }


def _answers(networks: dict, image: np.ndarray) -> list[dict]:
    answers = {name: n.predict_on_batch(image[np.newaxis])[0] for name, n in networks.items()}
    return [{"name": name, "probabilities": answers[name].tolist()} for name in answers]


def _as_json(name: str, picture: np.ndarray) -> dict:
    pixels = base64.b64encode(picture.tobytes()).decode()
    height, width = picture.shape
    # All are shown at the scale of 28 × 28, but the larger crop as large as its box.
    scale = BOX / max(height, width) if max(height, width) > SIDE else 1
    return {"name": name, "height": height, "width": width, "scale": scale, "pixels": pixels}


class PictureUpload(anywidget.AnyWidget):
    """A button to upload a picture; below it, what each network reads, or why it is refused.

    `networks` as for DrawingPad. The browser makes a picture small before it sends it. `answer`
    has the file's "name" and either the "picture" for the networks and what they say, or "error".
    """

    _esm = view_source("upload.js")
    _css = view_source("upload.css")

    answer = traitlets.Dict().tag(sync=True)

    def __init__(self, networks: dict):
        self._networks = networks
        super().__init__()
        self.on_msg(self._on_message)

    def __repr__(self) -> str:
        return "A button to upload a picture."

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/html": f"<p>{self} {NOT_LIVE}</p>"}, metadata

    def _on_message(self, _, content, buffers):
        """`content` has the file's "name", and which choice of the browser's it is, a "number"."""
        try:
            image = prepare_picture(read_picture(io.BytesIO(buffers[0])))
            said = {"networks": _answers(self._networks, image)}
            self.answer = content | said | {"picture": _as_json("prepared", image)}
        except ValueError as error:
            self.answer = content | {"error": str(error)}
