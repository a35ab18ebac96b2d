"""The learner's drawings take MNIST's form, and bad input is refused in words."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from scipy import ndimage

from mnist_helpers.drawings import EXAMPLE_DRAWINGS
from mnist_helpers.images import (
    center_in_box,
    crop_to_ink,
    draw_strokes,
    fit_in_box,
    place_by_mass,
    prepare_strokes,
)

MANY = settings(
    max_examples=1500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def mean_difference(a: np.ndarray, b: np.ndarray) -> float:
    """Of two images, the one moved by up to a pixel: placing rounds to whole pixels."""
    a = a.astype(int)
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    return min(float(np.abs(np.roll(a, shift, (0, 1)) - b).mean()) for shift in shifts)


def assert_in_mnist_form(image: np.ndarray) -> None:
    assert image.shape == (28, 28) and image.dtype == np.uint8
    assert image.max() == 255
    assert max(crop_to_ink(image).shape) <= 20


# --- the common way: crop, fit, place -------------------------------------------------------


def test_crop_keeps_exactly_the_ink():
    image = np.zeros((50, 40))
    image[10:15, 7:9] = 3
    image[20, 30] = 1
    assert np.array_equal(crop_to_ink(image), image[10:21, 7:31])


@pytest.mark.parametrize(
    "shape, fitted", [((200, 100), (20, 10)), ((5, 10), (10, 20)), ((1, 5000), (1, 20))]
)
def test_box_keeps_the_proportions_and_at_least_a_pixel_of_width(shape, fitted):
    assert fit_in_box(np.ones(shape)).shape == fitted


def test_scaling_down_is_anti_aliased():
    down, right = np.mgrid[-99:100, -99:100]
    small = fit_in_box(np.hypot(down, right) < 99)
    assert ((small > 20) & (small < 235)).sum() > 10


def test_drawing_takes_mnist_form_with_its_center_of_mass_on_pixel_14(digits):
    for digit in digits:
        assert_in_mnist_form(digit)
        assert np.abs(np.array(ndimage.center_of_mass(digit)) - 14).max() <= 0.51


def test_mass_far_to_one_side_never_cuts_off_ink():
    image = np.zeros((20, 20), np.uint8)
    image[:, 0], image[0, :] = 255, 1
    assert place_by_mass(image).sum() == image.sum()


def test_image_in_mnist_form_hardly_changes(digits):
    for digit in digits:
        assert mean_difference(center_in_box(digit), digit) < 2


def test_result_does_not_depend_on_place_or_size(digits):
    for digit in digits:
        page = np.zeros((300, 200), np.uint8)
        page[30:170, 40:180] = np.asarray(Image.fromarray(digit).resize((140, 140)))
        assert mean_difference(center_in_box(page), digit) < 16


def test_input_is_not_changed(digits):
    page = np.kron(digits[3], np.ones((4, 4), np.uint8))
    before = page.copy()
    center_in_box(page)
    assert np.array_equal(page, before)


def test_image_too_large_to_place_is_refused():
    with pytest.raises(ValueError, match="28 × 28"):
        place_by_mass(np.ones((29, 5)))


# --- strokes --------------------------------------------------------------------------------


def test_small_drawing_in_a_corner_gives_the_image_of_a_large_one():
    large = EXAMPLE_DRAWINGS[2]
    small = [[(0.7 + 0.2 * x, 0.05 + 0.2 * y) for x, y in stroke] for stroke in large]
    assert mean_difference(prepare_strokes(small), prepare_strokes(large)) < 2


def test_without_centring_the_drawing_keeps_its_place():
    image = prepare_strokes([[(0.1, 0.1), (0.2, 0.1)]], centered=False)
    assert image[:7, :9].any() and not image[7:].any() and not image[:, 9:].any()


def test_pen_is_as_wide_as_mnist_s():
    ink = draw_strokes([[(0.5, 0.1), (0.5, 0.9)]])
    assert 20 <= (crop_to_ink(ink) > 0).sum(axis=1).max() <= 30  # of the 200 of the box


def test_pen_is_round_and_as_wide_along_a_slant():
    radius = 12.5  # of the 200 pixels of the box
    dot, slant = (draw_strokes([line]) for line in ([(0.5, 0.5)], [(0.1, 0.1), (0.9, 0.9)]))
    blot = np.pi * radius**2
    assert np.count_nonzero(dot) == pytest.approx(blot, rel=0.01)
    length = np.hypot(175, 175)
    assert np.count_nonzero(slant) == pytest.approx(2 * radius * length + blot, rel=0.01)


def test_dot_becomes_a_blot_and_a_stroke_without_points_nothing():
    assert_in_mnist_form(prepare_strokes([[(0.5, 0.5)]]))
    assert np.array_equal(prepare_strokes([[], [(0.5, 0.5)]]), prepare_strokes([[(0.5, 0.5)]]))


@pytest.mark.parametrize(
    "strokes, message",
    [
        ([[], []], "pad is empty"),
        ([[(0.5, 1.5)]], "from 0 to 1"),
        ([[(0.5, float("nan"))]], "from 0 to 1"),
        ([[(0.1, 0.2, 0.3)]], r"\(x, y\)"),
        ([[0.1, 0.2]], r"\(x, y\)"),
        ([[("a", "b")]], r"\(x, y\)"),
        ([[(0.1, 0.2), (0.3,)]], r"\(x, y\)"),
        ([[(None, 0.2)]], r"\(x, y\)|from 0 to 1"),
        (7, "list of strokes"),
        (None, "list of strokes"),
    ],
)
def test_bad_strokes_are_refused_in_words(strokes, message):
    with pytest.raises(ValueError, match=message):
        prepare_strokes(strokes)


numbers = st.floats(0, 1) | st.floats() | st.integers() | st.none()
points = st.tuples(st.floats(0, 1), st.floats(0, 1)) | st.lists(numbers, max_size=3)


@pytest.mark.slow
@MANY
@given(st.lists(st.lists(points, max_size=8), max_size=4), st.booleans())
def test_any_strokes_give_an_image_or_a_value_error(strokes, centered):
    try:
        image = prepare_strokes(strokes, centered)
    except ValueError:
        return
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() > 0
    if centered:
        assert_in_mnist_form(image)


@pytest.mark.slow
@MANY
@given(
    npst.arrays("uint8", st.tuples(st.integers(8, 28), st.integers(8, 28))),
    st.floats(-1e30, 1e30),
    st.floats(1e-30, 1e30),
)
def test_center_in_box_gives_an_image_or_a_value_error(array, shift, scale):
    try:
        image = center_in_box(array * scale + shift)
    except ValueError:
        return
    assert_in_mnist_form(image)
