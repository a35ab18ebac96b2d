"""The live parts of the pages: which a page has, and the script and the styles that they need.

A view NAME is an ES module of the form that anywidget takes, NAME.js in `mnist_helpers/` where
JupyterLab shows it too, else in `site_template/`; its styles stand beside it in NAME.css. What
stands for the kernel on a page is NAME_page.js, which exports `mountName`; a view without one
gets the JSON that stands in its place. A page opened from the disk loads no modules, so the
modules are put together into one classic script here.
"""

import base64
import re
from pathlib import Path

import nbformat
from jinja2 import Environment

from mnist_helpers.pad import PICTURE_TEXT
from mnist_helpers.views import VIEW_TYPE

HERE = Path(__file__).parent
TEMPLATE = HERE / "site_template"
HELPERS = HERE.parent / "mnist_helpers"
# The views that ask the networks; for other pages the weights are not loaded.
ASKING = {"pad", "shift"}
NETWORKS = "networks.js"
IMPORT = re.compile(r'^import [^;]+ from "\./(.+)";\n', re.MULTILINE)


def live_views(notebook: nbformat.NotebookNode) -> list[str]:
    """The live parts of a notebook, each once: its cells' metadata or their outputs name them."""
    found = [cell.metadata.get("mnist_tutorial", {}).get("live") for cell in notebook.cells]
    for cell in notebook.cells:
        found += [o.get("data", {}).get(VIEW_TYPE, {}).get("view") for o in cell.get("outputs", [])]
    return list(dict.fromkeys(filter(None, found)))


def view_file(name: str, suffix: str) -> Path:
    """Where the script or the styles of a view are."""
    inside = HELPERS / f"{name}{suffix}"
    return inside if inside.exists() else TEMPLATE / f"{name}{suffix}"


def view_styles(views: list[str]) -> str:
    files = [view_file(name, ".css") for name in views] + [TEMPLATE / "live.css"]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def live_script(views: list[str]) -> str:
    """One classic script that shows the views of a page and defines `window.mnistTutorial`."""
    with_page = [name for name in views if (TEMPLATE / f"{name}_page.js").exists()]
    start = ["live.js", "network.js", "prepare.js", *(f"{name}_page.js" for name in with_page)]
    shown = ",\n".join(f"{name}: {as_expression(view_file(name, '.js'))}" for name in views)
    mounts = ", ".join(f"{name}: mount{name.capitalize()}" for name in with_page)
    return "\n".join(
        [
            "(() => {",
            *modules(start),
            "window.mnistTutorial = { answer, prepareStrokes };",
            f"mountViews({{ {shown} }}, {{ {mounts} }});",
            "})();",
        ]
    )


def modules(names: list[str], seen: set[str] | None = None) -> list[str]:
    """Modules of the template's folder without `import` and `export`, each behind its imports."""
    seen = set() if seen is None else seen
    sources = []
    for name in names:
        if name not in seen:
            seen.add(name)
            source = (TEMPLATE / name).read_text(encoding="utf-8")
            sources += modules(IMPORT.findall(source), seen)
            sources.append(re.sub(r"^export ", "", IMPORT.sub("", source), flags=re.MULTILINE))
    return sources


def as_expression(path: Path) -> str:
    """A module as an expression whose value is what the module exports by default."""
    source = path.read_text(encoding="utf-8")
    return f"(() => {{\n{source.replace('export default', 'return')}}})()"


def add_live_parts(environment: Environment, out: Path) -> None:
    """Give the templates of the site in `out` what live parts need."""
    environment.filters["live_script"] = live_script
    environment.filters["view_styles"] = view_styles
    networks = (out / NETWORKS).exists()  # where not, the pad says so
    environment.filters["need_networks"] = lambda views: networks and bool(ASKING & set(views))
    environment.globals["view_type"] = VIEW_TYPE
    picture = (HELPERS / "pad.png").read_bytes()
    environment.globals["pad_picture"] = base64.b64encode(picture).decode()
    environment.globals["pad_picture_text"] = PICTURE_TEXT
