"""Trained networks, kept by one notebook for the next."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from .data import Mnist, hold_out
from .files import artifacts_folder, short_path, write_atomically
from .keras_setup import keras
from .results import check_history
from .training import FitProgress, shuffled_batches

# Before it, a file that is made for that runs code when it is loaded, in safe mode too:
# CVE-2025-1550 (mended in 3.9) and CVE-2025-9906 (in 3.11).
SAFE_KERAS = (3, 11)
# What a .keras file holds besides, as JSON; with another number if settings mean other networks.
RUN_MEMBER = "mnist_tutorial_run_2.json"


def save_run(name: str, model: keras.Model, history: dict, settings: dict) -> None:
    """Keep a trained network, its history and the settings it was trained with, in one file.

    Where nothing can be written, says so. Raises ValueError for a history of another training.
    """
    check_history(model, history)
    path = artifacts_folder() / f"{name}.keras"
    run = json.dumps({"settings": settings, "history": history})

    def write(part: Path) -> None:
        model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(RUN_MEMBER, run)

    try:
        write_atomically(path, write)
        print(f"Kept for the later notebooks: {short_path(path)}")
    except OSError as error:
        reason = error.strerror or error
        print(f"The network could not be kept ({reason}): the later notebooks train it anew.")


def load_run(name: str, settings: dict) -> tuple[keras.Model, dict] | None:
    """The network, uncompiled, and history kept with these settings, or None; prints why."""
    path = artifacts_folder() / f"{name}.keras"
    if not path.exists():
        print(f"No {name} network was kept.")
        return None
    try:
        if tuple(map(int, keras.__version__.split(".")[:2])) < SAFE_KERAS:
            raise ValueError(f"Keras {keras.__version__} is not safe: `pip install 'keras>=3.11'`")
        with zipfile.ZipFile(path) as archive:
            if archive.testzip():
                raise ValueError("its file is damaged")
            if RUN_MEMBER not in archive.namelist():
                raise ValueError("another version of the tutorial kept it, or something else")
            run = json.loads(archive.read(RUN_MEMBER))
        if run["settings"] != settings:
            raise ValueError("it was trained with other settings")
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        if model.input_shape != (None, 28, 28) or model.output_shape != (None, 10):
            raise ValueError("it is another kind of network")
    except Exception as error:  # whatever is wrong with the file, the answer is the same
        reason = "its file is damaged" if isinstance(error, zipfile.BadZipFile) else str(error)
        first_line = (reason.strip() or type(error).__name__).splitlines()[0]
        print(f"The kept {name} network is not used: {first_line[:120]}.")
        return None
    folder = short_path(path.parent)
    print(f"Using the {name} network that was trained before and kept in {folder}/.")
    return model, run["history"]


def load_or_train(
    name: str, build: Callable | None, data: Mnist, *, epochs, batch_size, train_images, seed
) -> tuple[keras.Model, dict] | None:
    """The kept network and its history or, where there is none, one trained here in the same way.

    `build` gives an uncompiled network, which is trained as in notebooks 02 and 03, on the first
    `train_images` that `hold_out` gives. Where it is None nothing is trained, and None returned.
    """
    settings = {"data": data.name, "epochs": epochs, "batch_size": batch_size}
    kept = load_run(name, settings | {"train_images": train_images, "seed": seed})
    if kept or build is None:
        return kept
    x_train, y_train, x_valid, y_valid = hold_out(data)
    labels, labels_valid = (keras.utils.to_categorical(y, 10) for y in (y_train, y_valid))
    keras.utils.set_random_seed(seed)
    model = build()
    loss = "categorical_crossentropy"
    model.compile("adam", loss, metrics=["accuracy"], steps_per_execution=20)
    batches = shuffled_batches(x_train[:train_images], labels[:train_images], batch_size)
    options = {"shuffle": False, "epochs": epochs, "validation_data": (x_valid, labels_valid)}
    fit = model.fit(batches, verbose=0, callbacks=[FitProgress()], **options)
    return model, fit.history
