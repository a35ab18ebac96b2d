"""What the notebooks share: data, networks, figures, training. Names are loaded on first use."""

import os
import platform
import sys
import traceback
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path

# NumPy's products here are small: a second thread gains nothing, and where other programs keep
# the cores busy the two wait for each other (a thousand steps of notebook 02: 0.1 s, not 5).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# TensorFlow reads these once, when it is first imported, by whichever cell; see keras_setup.py.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

_MODULES = {  # the public names, by the module that defines them
    "checks": "check_parameter checked preflight your_turn",
    "convolution_view": "ConvolutionView",
    "data": "hold_out load_mnist",
    "keras_setup": "keras",
    "kept": "load_or_train save_run",
    "networks": "build_cnn build_compact_cnn build_dense build_wide_dense count_multiplications",
    "pad": "DrawingPad PictureUpload load_collection",
    "photographs": "prepare_picture read_picture",
    "plots": "plot_differences plot_digits plot_learning_curves plot_seeds plot_shifts "
    "plot_weights show_figure",
    "results": "accuracy_interval load_answers load_records prediction_interval report_result",
    "strokes": "EXAMPLE_DRAWINGS preparation_steps prepare_strokes",
    "training": "FitProgress forget_networks shuffled_batches",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    except Exception as error:
        for file in _files_in_the_way(error):
            how = "rename it, and restart the kernel"
            raise ImportError(f"{file} hides the package of that name: {how}") from error
        if isinstance(error, AttributeError):  # Python would say no more than "cannot import name"
            raise ImportError(f"AttributeError: {error}") from error
        raise


def _files_in_the_way(error: Exception) -> list[Path]:
    """The learner's files, beside the notebook, that were imported in the place of a package."""
    here = Path.cwd()
    elsewhere = [folder for folder in sys.path if Path(folder).resolve() != here.resolve()]
    imported = {getattr(module, "__file__", None) for module in [*sys.modules.values()]}
    trace = "".join(traceback.format_exception(error))  # names those that failed themselves
    beside = [file for file in here.glob("*.py") if str(file) in imported or f'"{file}"' in trace]
    return [file for file in beside if PathFinder.find_spec(file.stem, elsewhere)]
