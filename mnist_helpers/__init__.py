"""What the notebooks of the MNIST tutorial share: data, models, plots, training plumbing.

Names are imported from here and loaded on first use, so that `import mnist_helpers`
costs nothing and TensorFlow is imported only by the notebooks that train.
"""

import os
import platform
from importlib import import_module

# NumPy's products here are small: a second thread gains nothing, and where other programs keep
# the cores busy the two wait for each other (a thousand steps of notebook 02: 0.1 s, not 5).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# TensorFlow reads these once, when it is first imported, by whichever cell. keras_setup.py
# makes the rest of the settings and says what each is worth.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

# The public names, by the module that defines them.
_MODULES = {
    "batches": ["shuffled_batches"],
    "data": ["MnistError", "hold_out", "load_mnist"],
    "drawings": ["EXAMPLE_DRAWINGS"],
    "images": [
        "center_in_box",
        "draw_strokes",
        "preparation_steps",
        "prepare_strokes",
    ],
    "keras_setup": ["keras"],
    "kept": ["load_or_train", "load_run", "save_run"],
    "memory": ["forget_networks", "restart"],
    "models": [
        "build_cnn",
        "build_compact_cnn",
        "build_dense",
        "build_wide_dense",
        "count_multiplications",
    ],
    "offline_digits": ["originals_for_test"],
    "pad": ["DrawingPad", "collection_path", "load_collection", "show_picture_of_pad"],
    "patch": ["PatchView"],
    "pictures": ["picture_steps", "prepare_picture", "read_picture"],
    "picture_upload": ["PictureUpload"],
    "plots": [
        "plot_confusion_matrix",
        "plot_differences",
        "plot_digit",
        "plot_digit_numbers",
        "plot_digits",
        "plot_feature_maps",
        "plot_learning_curves",
        "plot_network",
        "plot_probabilities",
        "plot_seeds",
        "plot_shifts",
        "plot_weights",
        "show_figure",
    ],
    "progress": ["FitProgress"],
    "records": ["load_records"],
    "results": ["accuracy_interval", "prediction_interval", "report_result"],
    "setup_check": ["check_parameters", "checked", "preflight"],
    "views": ["shift_view"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
