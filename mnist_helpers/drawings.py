"""Ten digits drawn for the tutorial as pen strokes: they stand in where no one draws."""

import json
from pathlib import Path

_BY_NAME = json.loads(Path(__file__).with_name("drawings.json").read_text(encoding="utf-8"))

# Strokes as `prepare_strokes` takes them, lists of (x, y), by digit; in the sizes and places in
# which people draw.
EXAMPLE_DRAWINGS = {
    int(digit): [[(x, y) for x, y in stroke] for stroke in strokes]
    for digit, strokes in _BY_NAME.items()
}
