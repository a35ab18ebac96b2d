"""Trained networks, kept by one notebook for the next."""

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from .batches import shuffled_batches
from .data import Mnist, hold_out
from .files import artifacts_folder, place, write_atomically
from .keras_setup import keras
from .progress import FitProgress
from .results import check_history

# Before it, a file that is made for that runs code when it is loaded, in safe mode too:
# CVE-2025-1550 (mended in 3.9) and CVE-2025-9906 (in 3.11).
SAFE_KERAS = (3, 11)

# What a kept .keras file holds besides the network: history and settings, as JSON. Its number
# is raised where the same settings train another network: the second draws batches anew.
RUN_MEMBER = "mnist_tutorial_run_2.json"


def save_run(name: str, model: keras.Model, history: dict, settings: dict) -> None:
    """Keep a trained network, its history and the settings it was trained with, in one file.

    The file is an ordinary .keras archive with one more member, RUN_MEMBER, and is replaced
    atomically: a reader sees the old run or the new one, never a mixture. Where nothing can be
    written, says so and carries on. Raises ValueError if the history is of another training.
    """
    check_history(model, history)
    path = _kept_file(name)
    run = json.dumps({"settings": settings, "history": history})

    def write(part: Path) -> None:
        model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(RUN_MEMBER, run)

    try:
        write_atomically(path, write)
    except OSError as error:
        reason = error.strerror or error
        print(f"The network could not be kept ({reason}): the later notebooks train it anew.")
        return
    print(f"Kept for the later notebooks: {place(path)}")


def load_run(name: str, settings: dict) -> tuple[keras.Model, dict] | None:
    """The network, uncompiled, and the history kept by `save_run` with these settings, or None.

    Prints one line that says which it is and, where a kept run cannot be used, why. Keras's
    safe mode stays on: a file that would run code when loaded is refused. So is every file by a
    Keras before SAFE_KERAS, whose safe mode can be got around.
    """
    path = _kept_file(name)
    if not path.exists():
        print(f"No {name} network was kept.")
        return None
    try:
        if tuple(map(int, keras.__version__.split(".")[:2])) < SAFE_KERAS:
            needed = ".".join(map(str, SAFE_KERAS))
            raise ValueError(
                f"Keras {keras.__version__} cannot load it safely; `pip install 'keras>={needed}'`"
            )
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
        history = run["history"]
    except Exception as error:  # whatever is wrong with the file, the answer is the same
        reason = "its file is damaged" if isinstance(error, zipfile.BadZipFile) else str(error)
        first_line = (reason.strip() or type(error).__name__).splitlines()[0]
        print(f"The kept {name} network is not used: {first_line[:120]}.")
        return None
    print(f"Using the {name} network that was trained before and kept in {place(path.parent)}/.")
    return model, history


def load_or_train(
    name: str,
    build: Callable[[], keras.Model],
    data: Mnist,
    *,
    epochs: int,
    batch_size: int,
    train_images: int,
    seed: int,
) -> tuple[keras.Model, dict]:
    """The kept network and its history or, where there is none, one trained here in the same way.

    `build` gives an uncompiled network, as `build_dense` does. Trains as notebooks 02 and 03 do:
    on the first `train_images` of the training images that `hold_out` gives.
    """
    settings = {"data": data.name, "epochs": epochs, "batch_size": batch_size}
    settings |= {"train_images": train_images, "seed": seed}
    kept = load_run(name, settings)
    if kept:
        return kept
    x_train, y_train, x_valid, y_valid = hold_out(data)
    keras.utils.set_random_seed(seed)
    model = build()
    model.compile(
        loss="categorical_crossentropy",
        optimizer="adam",
        metrics=["accuracy"],
        steps_per_execution=20,
    )
    labels = keras.utils.to_categorical(y_train[:train_images], 10)
    fit = model.fit(
        shuffled_batches(x_train[:train_images], labels, batch_size),
        shuffle=False,
        epochs=epochs,
        validation_data=(x_valid, keras.utils.to_categorical(y_valid, 10)),
        verbose=0,
        callbacks=[FitProgress()],
    )
    return model, fit.history


def _kept_file(name: str) -> Path:
    return artifacts_folder() / f"{name}.keras"
