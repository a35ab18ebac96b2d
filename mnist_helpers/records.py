"""What was measured beforehand: many trainings of each network at full length."""

from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).with_name("records")


def load_records() -> pd.DataFrame:
    """The recorded trainings, a row each; `make record` makes them.

    Columns: data ("MNIST" or "offline digits"), network, seed, epochs, train_images, seconds
    of `fit`, valid_accuracy and test_accuracy as fractions, test_loss. The files name the
    machine and the versions in lines that start with #.
    """
    paths = sorted(FOLDER.glob("*.csv"))
    return pd.concat([pd.read_csv(path, comment="#") for path in paths], ignore_index=True)
