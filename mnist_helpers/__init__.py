"""What the notebooks of the MNIST tutorial share: data, models, plots, training plumbing.

Names are imported from here and loaded on first use, so that `import mnist_helpers`
costs nothing and TensorFlow is imported only by the notebooks that train.
"""

from importlib import import_module

# The public names, by the module that defines them.
_MODULES = {
    "data": ["MnistError", "load_mnist"],
    "images": ["center_in_box", "prepare_picture", "prepare_strokes"],
    "keras_quietly": ["keras"],
    "memory": ["forget_networks"],
    "models": ["build_cnn", "build_compact_cnn", "build_dense", "count_multiplications"],
    "pad": ["DrawingPad"],
    "plots": [
        "plot_accuracy_intervals",
        "plot_class_balance",
        "plot_confusion_matrix",
        "plot_digit",
        "plot_digit_numbers",
        "plot_digits",
        "plot_feature_maps",
        "plot_learning_curves",
        "plot_parameters_by_layer",
        "plot_probabilities",
        "plot_seeds",
        "plot_shifts",
        "plot_trade_off",
        "plot_weights",
        "show_figure",
    ],
    "setup_check": ["check_choice", "check_number", "preflight"],
    "statistics": ["accuracy_interval"],
    "training": ["FitProgress", "load_run", "report_result", "save_run"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str):
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
