"""What was measured beforehand: many trainings of each network at full length."""

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).with_name("records")


def read_records(path: Path) -> pd.DataFrame:
    """The rows of one file, without the lines on machine and versions."""
    return pd.read_csv(path, comment="#")


def load_records() -> pd.DataFrame:
    """The recorded trainings, a row each; `make record` makes them.

    Columns: data ("MNIST" or "offline digits"), network, seed, epochs, train_images, seconds
    of `fit`, valid_accuracy and test_accuracy as fractions, test_loss. A network that was
    trained on all images has no valid_accuracy (NaN). The files name the machine and the
    versions in lines that start with #.
    """
    paths = sorted(FOLDER.glob("*.csv"))
    return pd.concat([read_records(path) for path in paths], ignore_index=True)
