"""A button to upload a picture of a digit; the networks answer, or the reason is shown."""

import base64
import html
import io
import tempfile
from pathlib import Path

import ipywidgets
import numpy as np
from PIL import Image

from .pictures import prepare_picture, read_picture


class PictureUpload(ipywidgets.VBox):
    """A button to upload a picture of one digit; below it, what each network reads.

    `networks` is what `DrawingPad` takes. A picture that `read_picture` or `prepare_picture`
    refuses is answered with the reason.
    """

    def __init__(self, networks: dict):
        self._networks = networks
        self.button = ipywidgets.FileUpload(
            accept="image/*", description="Upload a picture", layout={"width": "max-content"}
        )
        self.answer = ipywidgets.HTML("No picture yet.")
        super().__init__([self.button, self.answer])
        self.button.observe(self._answer, names="value")

    def __repr__(self) -> str:
        return "PictureUpload: needs a running kernel to upload to"

    def _answer(self, _):
        for file in self.button.value:
            self.answer.value = self._answer_to(Path(file["name"]).name, bytes(file["content"]))

    def _answer_to(self, name: str, content: bytes) -> str:
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "picture"
                path.write_bytes(content)
                image = prepare_picture(read_picture(path))
        except ValueError as error:
            return html.escape(f"{name}: {error}".replace(f"{path} ", ""))
        file = io.BytesIO()
        Image.fromarray(255 - image).resize((112, 112), Image.Resampling.NEAREST).save(file, "PNG")
        source = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
        lines = [f'<img src="{source}" alt="The picture, prepared: 28 × 28 pixels">']
        for network_name, network in self._networks.items():
            probabilities = network.predict_on_batch(image[np.newaxis])[0]
            digit = int(probabilities.argmax())
            lines.append(f"{html.escape(network_name)}: {digit} ({probabilities[digit]:.0%})")
        return "<br>".join(lines)
