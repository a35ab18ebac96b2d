"""Stand-in for MNIST with no download: real handwriting that ships with scikit-learn.

scikit-learn bundles 1,797 handwritten digits of 8 × 8 pixels (the test set of the UCI "Optical
Recognition of Handwritten Digits"). Each is drawn up to 28 × 28 pixels many times over, turned,
slanted, sized, shifted and bent a little differently each time.
"""

import numpy as np
from threadpoolctl import threadpool_limits

# MNIST's own numbers of images for the digits 0 to 9: the class balance is the same on both.
TRAIN_COUNTS = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
TEST_COUNTS = (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009)
VALIDATION_IMAGES = 12_000
TEST_ORIGINALS_PER_DIGIT = 40
VALIDATION_ORIGINALS_PER_DIGIT = 28

# Every constant below is a whole number divided by a power of two, and so is every number
# computed from them (the one division is rounded to sixteenths). float64 holds them, their sums
# and products exactly, in whichever order a processor or a library adds them up.
SEED = 8128
FINE_PER_SOURCE = 16  # the enlarged original has 16 × 16 points for each of its pixels
FINE_PER_PIXEL = 6.375  # of which so many make one pixel of an image: 8 pixels become 20.1
MARGIN = 2  # source pixels of black around the original, as far as the cubic kernel reaches
# The originals count ink from 0 to 16. To sharpen what the cubic kernel has blurred, ink up to
# about BLACK becomes 0 and each unit above it adds CONTRAST, up to 255.
BLACK, CONTRAST = 4.5, 32
BEND_KNOTS = (-12, -4, 4, 12)  # pixels from the centre

# Standard deviations of the variations.
TURN = 0.0625  # radians
SLANT = 0.078125  # columns per row
SIZE = 0.046875  # as a fraction
SHIFT = 0.375  # pixels
BEND = 0.375  # pixels, at each knot
PEN = 0.75  # added to BLACK: a thinner or thicker pen


def make_offline_digits() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw the offline digits: `x_train, y_train, x_test, y_test`, shaped like MNIST.

    All are uint8, of shapes (60000, 28, 28), (60000,), (10000, 28, 28), (10000,): white ink (up
    to 255) on black (0), in random order. The first 48,000 training images, the last 12,000, for
    validation, and the test images share no original; the test images come from 400.

    The result is the same to the byte on every machine: the random bits are PCG64's, whose
    stream NumPy keeps fixed, and the arithmetic on them is exact in IEEE double precision.
    """
    pictures, labels = _load_originals()
    train, test = originals_of_images()
    # The matrices are small. With threads for each, several kernels that start at once on one
    # machine would spend most of their time on waiting for each other.
    with threadpool_limits(1, user_api="blas"):
        x_train = _draw(pictures, train, np.random.PCG64([SEED, 1]))
        x_test = _draw(pictures, test, np.random.PCG64([SEED, 2]))
    return x_train, labels[train], x_test, labels[test]


def split_originals() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Indices of the originals for training (1117,), validation (280,) and test (400,), int64."""
    _, labels = _load_originals()
    order = _shuffled(np.arange(len(labels)), np.random.PCG64([SEED, 3]))
    ends = [TEST_ORIGINALS_PER_DIGIT, TEST_ORIGINALS_PER_DIGIT + VALIDATION_ORIGINALS_PER_DIGIT]
    by_digit = [np.split(order[labels[order] == digit], ends) for digit in range(10)]
    test, validation, train = (np.concatenate(part) for part in zip(*by_digit, strict=True))
    return train, validation, test


def originals_of_images() -> tuple[np.ndarray, np.ndarray]:
    """Which original each image is drawn from: int64 (60000,) for training, (10000,) for test."""
    _, labels = _load_originals()
    bits = np.random.PCG64([SEED, 4])
    y_train, y_test = (
        _shuffled(np.repeat(np.arange(10), counts), bits) for counts in (TRAIN_COUNTS, TEST_COUNTS)
    )
    parts = (y_train[:-VALIDATION_IMAGES], y_train[-VALIDATION_IMAGES:], y_test)
    drawn = []
    for wanted, originals in zip(parts, split_originals(), strict=True):
        chosen = np.empty(len(wanted), np.int64)
        for digit in range(10):
            of_digit = originals[labels[originals] == digit]
            # np.resize repeats the digit's originals in turn until there are enough.
            chosen[wanted == digit] = np.resize(of_digit, np.count_nonzero(wanted == digit))
        drawn.append(chosen)
    return np.concatenate(drawn[:2]), drawn[2]


def _load_originals() -> tuple[np.ndarray, np.ndarray]:
    """Pictures, float64 (1797, 8, 8) of whole numbers 0 to 16, and labels, uint8 (1797,)."""
    from sklearn.datasets import load_digits  # here, because it takes a second to import

    digits = load_digits()
    return digits.images, digits.target.astype(np.uint8)


def _shuffled(values: np.ndarray, bits: np.random.PCG64) -> np.ndarray:
    return values[np.argsort(bits.random_raw(len(values)), kind="stable")]


def _noise(bits: np.random.PCG64, shape: tuple[int, int]) -> np.ndarray:
    """Nearly normal random numbers, float64: mean 0, standard deviation 1.01, at most 3.5.

    Sums of the four 16-bit parts of a random number, multiples of 2**-10: exact, where a logarithm
    or a cosine may differ in its last digit from one machine to another.
    """
    raw = bits.random_raw(shape)
    total = np.zeros(shape, np.int64)
    for part in range(4):
        total += ((raw >> np.uint64(16 * part)) & np.uint64(0xFFFF)).astype(np.int64)
    # The sum has mean 2 × 65535 and standard deviation 65536 / sqrt(3); 1.75 is near sqrt(3).
    return ((total - 2 * 65535) >> 8) * (1.75 / 256)


def _draw(pictures: np.ndarray, originals: np.ndarray, bits: np.random.PCG64) -> np.ndarray:
    """Images, uint8 (len(originals), 28, 28), of the originals, each varied at random."""
    images = np.empty((len(originals), 28 * 28), np.uint8)
    basis = _displacement_basis()
    # All images of one original together: the working set stays small.
    order = np.argsort(originals, kind="stable")
    starts = np.flatnonzero(np.diff(originals[order], prepend=-1))
    for positions in np.split(order, starts[1:]):
        picture = pictures[originals[positions[0]]]
        rows, columns = _source_coordinates(_center(picture), basis, len(positions), bits)
        fine = _enlarge(picture)
        ink = fine.ravel().take(rows * len(fine) + columns)
        ink -= BLACK + PEN * _noise(bits, (len(positions), 1))
        images[positions] = np.clip(ink * CONTRAST + 0.5, 0, 255)  # + 0.5: rounds, not truncates
    return images.reshape(-1, 28, 28)


def _source_coordinates(
    center: tuple[float, float], basis: np.ndarray, count: int, bits: np.random.PCG64
) -> tuple[np.ndarray, np.ndarray]:
    """For each pixel of varied images, row and column of the original: two int64 (count, 784)."""
    knots = len(basis) - 3
    noise = _noise(bits, (count, 5 + 2 * knots))
    turn, slant, size = TURN * noise[:, 0], SLANT * noise[:, 1], 1 + SIZE * noise[:, 2]
    shift = SHIFT * noise[:, 3:5]
    # Turns are small enough for sin(turn) = turn and cos(turn) = 1. Coordinates are multiples of
    # 2**-44 (through BEND) below 2**8: 52 bits, exact.
    row_parts = np.column_stack([shift[:, 0], size, turn, BEND * noise[:, 5 : 5 + knots]])
    column_parts = np.column_stack([shift[:, 1], slant - turn, size, BEND * noise[:, 5 + knots :]])
    coordinates = []
    for parts, middle in ((row_parts, center[0]), (column_parts, center[1])):
        fine = parts @ basis
        fine *= FINE_PER_PIXEL
        fine += middle
        # What lies outside the enlarged original is as black as its edge.
        np.clip(fine, 0, (8 + 2 * MARGIN) * FINE_PER_SOURCE - 1, out=fine)
        coordinates.append(fine.astype(np.int64))
    return coordinates[0], coordinates[1]


def _displacement_basis() -> np.ndarray:
    """1, row, column and a cubic B-spline around each of 4 × 4 knots, by pixel: (19, 784)."""
    place = np.arange(28) - 13.5
    distance = np.abs(place - np.array(BEND_KNOTS)[:, np.newaxis]) / 8
    near = 1 - distance * distance * (1.5 - 0.75 * distance)
    outer = np.maximum(2 - distance, 0)
    bumps = np.where(distance < 1, near, 0.25 * outer * outer * outer)
    one = np.ones(28)
    products = [(one, one), (place, one), (one, place)]
    products += [(down, across) for down in bumps for across in bumps]
    return np.array([np.outer(down, across).ravel() for down, across in products])


def _center(picture: np.ndarray) -> tuple[float, float]:
    """Row and column of the centre of mass, in points of the enlarged picture."""
    places = (np.arange(8) + 0.5 + MARGIN) * FINE_PER_SOURCE
    mass = picture.sum()
    row = (picture.sum(axis=1) * places).sum() / mass
    column = (picture.sum(axis=0) * places).sum() / mass
    return np.rint(row * 16) / 16, np.rint(column * 16) / 16


def _enlarge(picture: np.ndarray) -> np.ndarray:
    """The 8 × 8 picture with black margins, by cubic interpolation: float64 (192, 192)."""
    points = (np.arange((8 + 2 * MARGIN) * FINE_PER_SOURCE) + 0.5) / FINE_PER_SOURCE
    distance = np.abs(points[:, np.newaxis] - (np.arange(8) + 0.5 + MARGIN))
    # Keys's cubic convolution kernel.
    near = (1.5 * distance - 2.5) * distance * distance + 1
    far = ((2.5 - 0.5 * distance) * distance - 4) * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    return weights @ picture @ weights.T
