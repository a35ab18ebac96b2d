"""The live parts of the pages: which a page has, and what the templates need to put them in.

A view is a script in the form that anywidget takes, with its styles beside it. Those that
JupyterLab shows too lie in `mnist_helpers/`, the others in the template's folder; live.js.j2 puts
the scripts of a page together.
"""

import base64
from pathlib import Path

import nbformat
from jinja2 import Environment

from mnist_helpers.convolution_view import VIEW_TYPE
from mnist_helpers.pad import PICTURE_TEXT

HELPERS = Path(__file__).parents[2] / "mnist_helpers"
# Each view's script and styles, without their suffix.
VIEWS = {"pad": "pad", "convolution": "convolution_view", "shift": "shift"}
ASKING = {"pad", "shift"}  # the views that ask the networks; other pages do not load the weights
NETWORKS = "networks.js"


def live_views(notebook: nbformat.NotebookNode) -> list[str]:
    """The live parts of a notebook, each once, as the outputs of its cells name them."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    views = [output.get("data", {}).get(VIEW_TYPE, {}).get("view") for output in outputs]
    return list(dict.fromkeys(filter(None, views)))


def add_live_parts(environment: Environment, out: Path) -> None:
    """Give the templates of the site in `out` what live parts need."""
    exported = (out / NETWORKS).exists()  # where not, the pad says so
    environment.filters["need_networks"] = lambda views: exported and bool(ASKING & set(views))
    picture = base64.b64encode((HELPERS / "pad.png").read_bytes()).decode()
    environment.globals |= {"view_type": VIEW_TYPE, "view_files": VIEWS}
    environment.globals |= {"pad_picture": picture, "pad_picture_text": PICTURE_TEXT}
