"""Drawings and picture files take MNIST's form, as a person sees them, or are refused in words."""

import io
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from scipy import ndimage

from mnist_helpers import EXAMPLE_DRAWINGS, prepare_strokes
from mnist_helpers.photographs import prepare_picture, read_picture
from mnist_helpers.strokes import center_in_box, crop_to_ink

SOME = settings(max_examples=100, deadline=None, derandomize=True)


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Of two images, the one moved by up to a pixel: placing rounds to whole pixels."""
    a = a.astype(int)
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return min(float(np.abs(np.roll(a, shift, (0, 1)) - b).mean()) for shift in shifts)


def assert_in_mnist_form(image: np.ndarray) -> None:
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() == 255
    assert max(crop_to_ink(image).shape) <= 20


def test_an_image_in_mnists_form_hardly_changes_wherever_it_lies_and_however_large(digits):
    for digit in digits:
        assert_in_mnist_form(digit)
        assert np.abs(np.array(ndimage.center_of_mass(digit)) - 14).max() <= 0.51
        assert mean_difference(center_in_box(digit), digit) < 2
        page = np.zeros((300, 200), np.uint8)
        page[30:170, 40:180] = np.asarray(Image.fromarray(digit).resize((140, 140)))
        assert mean_difference(center_in_box(page), digit) < 16


def test_centring_makes_a_small_drawing_in_a_corner_a_large_one_and_without_it_stays_there():
    large = EXAMPLE_DRAWINGS[2]
    small = [[(0.7 + 0.2 * x, 0.05 + 0.2 * y) for x, y in stroke] for stroke in large]
    assert mean_difference(prepare_strokes(small), prepare_strokes(large)) < 2
    image = prepare_strokes(small, centered=False)
    assert image[:8, 18:].any() and not image[8:].any() and not image[:, :18].any()


@pytest.mark.parametrize(
    "strokes, message",
    [
        ([[], []], "pad is empty"),
        ([[(0.5, 1.5)]], "from 0 to 1"),
        ([[(0.1, 0.2)], [(float("nan"), 0.5)]], "from 0 to 1"),
        ([[(0.1, 0.2), (0.3,)]], r"\(x, y\)"),
        (None, "list of strokes"),
    ],
)
def test_bad_strokes_are_refused_in_words(strokes, message):
    with pytest.raises(ValueError, match=message):
        prepare_strokes(strokes)


FORMS = {
    "inverted": lambda digit: 255 - digit,
    "bool": lambda digit: digit > 127,
    "negative": lambda digit: digit.astype(np.int64) * -1000,
    "black on transparent": lambda digit: np.stack([0 * digit] * 3 + [digit], axis=2),
    "white on transparent": lambda digit: np.stack([0 * digit + 255] * 3 + [digit], axis=2),
    "large": lambda digit: np.kron(255 - np.pad(digit, 2), np.ones((12, 12), np.uint8)),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_picture_of_any_kind_gives_the_same_digit_and_stays_as_it_is(digits, form):
    for digit in digits[::3]:
        picture = FORMS[form](digit)
        before = picture.copy()
        assert mean_difference(prepare_picture(picture), digit) < 16
        assert np.array_equal(picture, before)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros(784), "expected a picture as numbers"),
        ([[1, 2], [3]], "inhomogeneous"),
        (np.zeros((28, 28, 5)), "channels"),
        (np.eye(7), "8 × 8"),
        (np.where(np.eye(28) > 0, np.inf, 0), "NaN or infinite"),
        (np.full((28, 28), 255), "blank"),
    ],
)
def test_a_bad_picture_is_refused_in_words(array, message):
    with pytest.raises(ValueError, match=message):
        prepare_picture(array)


shapes = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12)
good_shapes = st.tuples(st.integers(8, 30), st.integers(8, 30), st.integers(1, 4))
dtypes = st.sampled_from(["bool", "uint8", "int64", "float16", "float64", "complex128", "U2"])


@SOME
@given(st.data())
def test_any_array_gives_an_image_or_a_value_error(data):
    array = data.draw(npst.arrays(data.draw(dtypes), data.draw(good_shapes | shapes)))
    with warnings.catch_warnings(action="error"):
        try:
            image = prepare_picture(array)
        except ValueError:
            return
    assert_in_mnist_form(image)


PAGE = np.repeat(np.repeat(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10, 5, axis=0), 5, axis=1)


def saved(image: Image.Image, kind: str = "PNG", **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def test_a_picture_comes_in_its_own_colours_turned_as_the_camera_says(tmp_path):
    colours, exif = np.dstack([PAGE, 255 - PAGE, PAGE // 2]), Image.Exif()
    for exif[0x0112], turns in [(1, 0), (3, 2), (6, 3), (8, 1)]:
        file = saved(Image.fromarray(colours), exif=exif)
        assert np.array_equal(read_picture(file), np.rot90(colours, turns))
    (tmp_path / "a.png").write_bytes(saved(Image.fromarray(PAGE)).getvalue())
    assert np.array_equal(read_picture(str(tmp_path / "a.png")), PAGE)


@pytest.mark.parametrize("ink, paper", [(0, 255), (255, 0)])
def test_behind_what_is_transparent_lies_paper_that_contrasts(ink, paper):
    opacity = np.pad(np.full((10, 4), 255, np.uint8), ((5, 5), (8, 8)))
    for channels in (1, 3):
        colour = np.dstack([np.full((20, 20), ink, np.uint8)] * channels + [opacity])
        seen = read_picture(saved(Image.fromarray(colour)))
        assert seen[10, 10, 0] == ink and seen[0, 0, 0] == paper


@pytest.mark.parametrize("mode", ["CMYK", "P", "1", "I;16"])
def test_any_colour_model_becomes_what_a_person_sees(mode):
    grey = np.where(PAGE > 100, 255, 0).astype(np.uint8)
    sixteen = Image.fromarray(grey.astype(np.uint16) * 257)
    image = sixteen if mode == "I;16" else Image.fromarray(grey).convert("RGB").convert(mode)
    seen = read_picture(saved(image, "TIFF"))
    assert seen.dtype == np.uint8
    assert np.abs(seen.reshape(*grey.shape, -1).mean(axis=2) - grey).max() < 20


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "cannot be opened"),
        (b"Dear Sir or Madam", "no picture of a known kind.*JPEG or PNG"),
        (saved(Image.fromarray(PAGE), "JPEG").getvalue()[:400], "damaged or truncated"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (saved(Image.new("1", (10_000, 10_000))).getvalue(), "too many pixels: make it smaller"),
    ],
)
def test_a_file_that_is_no_picture_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "my_digit.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{re.escape(str(path))}.*{message}"):
        read_picture(path)
