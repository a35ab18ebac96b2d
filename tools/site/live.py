"""The live parts of the pages: which a page has, and the script and the styles that they need.

A view is a script in the form that anywidget takes, with its styles beside it. Those that
JupyterLab shows too lie in `mnist_helpers/`, the others in the template's folder. A page opened
from the disk loads no modules, so everything is put together into one classic script here: the
shared parts, what stands for the kernel, and each view as a function of its own.
"""

import base64
from pathlib import Path

import nbformat
from jinja2 import Environment

from mnist_helpers.convolution_view import VIEW_TYPE
from mnist_helpers.pad import PICTURE_TEXT

TEMPLATE = Path(__file__).with_name("template")
HELPERS = Path(__file__).parents[2] / "mnist_helpers"
# Each view's script and styles, without their suffix.
VIEWS = {
    "pad": HELPERS / "pad",
    "convolution": HELPERS / "convolution_view",
    "shift": TEMPLATE / "shift",
}
# Scripts without `import` and `export`: each uses names of the others.
SCRIPTS = [
    HELPERS / "parts.js",
    *(TEMPLATE / name for name in ("network.js", "prepare.js", "live.js", "pad_kernel.js")),
]
EXPORT = "export default { render };\n"  # the last line of a view
ASKING = {"pad", "shift"}  # the views that ask the networks; other pages do not load the weights
NETWORKS = "networks.js"


def live_views(notebook: nbformat.NotebookNode) -> list[str]:
    """The live parts of a notebook, each once, as the outputs of its cells name them."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    views = [output.get("data", {}).get(VIEW_TYPE, {}).get("view") for output in outputs]
    return list(dict.fromkeys(filter(None, views)))


def live_styles(views: list[str]) -> str:
    own = [VIEWS[view].with_suffix(".css") for view in views]
    return "\n".join(map(source_of, [HELPERS / "parts.css", *own, TEMPLATE / "live.css"]))


def live_script(views: list[str]) -> str:
    """One classic script that shows the views of a page and defines `window.mnistTutorial`."""
    functions = ",\n".join(f"{view}: {as_expression(view)}" for view in views)
    return "\n".join(
        [
            "(() => {",
            *map(source_of, SCRIPTS),
            "window.mnistTutorial = { answer, prepareStrokes };",
            f"mountViews({{ {functions} }});",
            "})();",
        ]
    )


def as_expression(view: str) -> str:
    """A view's script as an expression whose value is what the script exports."""
    source = source_of(VIEWS[view].with_suffix(".js"))
    if not source.endswith(EXPORT):
        raise ValueError(f"the script of the view {view} does not end in {EXPORT.strip()}")
    return f"(() => {{\n{source.removesuffix(EXPORT)}return {{ render }};\n}})()"


def source_of(path: Path) -> str:
    """The text of a script or a style sheet, which must not end the element around it."""
    text = path.read_text(encoding="utf-8")
    if "</" in text:
        raise ValueError(f"{path} holds '</', which would end the element that it stands in")
    return text


def add_live_parts(environment: Environment, out: Path) -> None:
    """Give the templates of the site in `out` what live parts need."""
    exported = (out / NETWORKS).exists()  # where not, the pad says so
    environment.filters["live_script"] = live_script
    environment.filters["live_styles"] = live_styles
    environment.filters["need_networks"] = lambda views: exported and bool(ASKING & set(views))
    environment.globals["view_type"] = VIEW_TYPE
    picture = (HELPERS / "pad.png").read_bytes()
    environment.globals["pad_picture"] = base64.b64encode(picture).decode()
    environment.globals["pad_picture_text"] = PICTURE_TEXT
