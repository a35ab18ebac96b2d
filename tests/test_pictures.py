"""A picture of a digit is read right, or refused with the reason; a file, as a person sees it."""

import io
import re
import subprocess
import sys
import warnings

import numpy as np
import picture_corpus as corpus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image
from test_images import MANY, assert_in_mnist_form, mean_difference

from mnist_helpers import keras
from mnist_helpers.files import artifacts_folder
from mnist_helpers.pictures import picture_steps, prepare_picture, read_picture

MANY = settings(MANY, max_examples=1000)


# --- the corpus -----------------------------------------------------------------------------


SEED = 1
CONDITIONS = [*corpus.READ, *corpus.READ_OR_REFUSED, *corpus.REFUSED]


def test_corpus_has_forty_conditions_and_gives_the_same_picture_again():
    assert len(CONDITIONS) >= 40
    assert np.array_equal(
        corpus.make("plain", "drawings", 3, SEED), corpus.make("plain", "drawings", 3, SEED)
    )


@pytest.fixture(scope="module")
def outcomes(full_run) -> dict[str, list]:
    """By condition, (digit, answer of the compact network or reason of the refusal) of each."""
    network = keras.saving.load_model(artifacts_folder() / "compact.keras", compile=False)
    found = {}
    for condition in CONDITIONS:
        found[condition] = []
        for digit in range(10):
            # The hands take turns; which begins depends on the condition.
            hand = corpus.HANDS[(digit + CONDITIONS.index(condition)) % 2]
            try:
                image = prepare_picture(corpus.make(condition, hand, digit, SEED))
                answer = int(network.predict_on_batch(image[np.newaxis]).argmax())
            except ValueError as error:
                answer = str(error)
            found[condition].append((digit, answer))
    return found


@pytest.fixture
def learned_from_mnist(full_run) -> None:
    if full_run["dataset"] != "MNIST":
        pytest.skip("the offline digits' own network reads fewer hands")


@pytest.mark.slow
class TestCorpus:
    def test_of_what_a_person_reads_at_once_95_percent_are_right(
        self, outcomes, learned_from_mnist
    ):
        results = [result for name in corpus.READ for result in outcomes[name]]
        assert np.mean([digit == answer for digit, answer in results]) >= 0.95

    def test_at_most_3_percent_are_silently_wrong(self, outcomes, learned_from_mnist):
        results = [result for name in CONDITIONS for result in outcomes[name]]
        wrong = [isinstance(answer, int) and answer != digit for digit, answer in results]
        assert np.mean(wrong) <= 0.03

    @pytest.mark.parametrize("condition", corpus.REFUSED)
    def test_what_is_not_one_digit_is_refused_for_the_right_reason(self, outcomes, condition):
        reason = corpus.REFUSED[condition][1]
        answers = [str(answer) for _, answer in outcomes[condition]]
        assert sum(bool(re.search(reason, answer)) for answer in answers) >= 9, answers

    def test_what_is_in_the_way_is_the_reason_for_a_refusal(self, outcomes):
        refusals = [
            (name, reason, answer)
            for name, (_, reason) in corpus.READ_OR_REFUSED.items()
            for _, answer in outcomes[name]
            if isinstance(answer, str)
        ]
        assert len(refusals) >= 10
        other = [refusal for refusal in refusals if not re.search(*refusal[1:])]
        assert len(other) <= len(refusals) / 10, other


# --- arrays -----------------------------------------------------------------------------------


FORMS = {
    "same": lambda digit: digit,
    "inverted": lambda digit: 255 - digit,
    "fraction": lambda digit: digit / 255,
    "bool": lambda digit: digit > 127,
    "negative": lambda digit: digit.astype(np.int64) * -1000,
    "uint16": lambda digit: digit.astype(np.uint16) * 257,
    "colour": lambda digit: np.stack([255 - digit] * 3, axis=2),
    "black on transparent": lambda digit: np.stack([0 * digit] * 3 + [digit], axis=2),
    "white on transparent": lambda digit: np.stack([0 * digit + 255] * 3 + [digit], axis=2),
    "one channel": lambda digit: (255 - digit)[..., np.newaxis],
    "large": lambda digit: np.kron(255 - np.pad(digit, 2), np.ones((12, 12), np.uint8)),
}


@pytest.mark.parametrize("form", FORMS)
def test_picture_of_any_kind_gives_the_same_digit(digits, form):
    for digit in digits:
        assert mean_difference(prepare_picture(FORMS[form](digit)), digit) < 16


def test_input_is_not_changed():
    page = corpus.make("plain", "drawings", 3, SEED)
    before = page.copy()
    prepare_picture(page)
    assert np.array_equal(page, before)


def test_the_steps_end_with_what_is_prepared():
    page = corpus.make("sheet on a dark desk", "drawings", 3, SEED)
    paper, ink, digit, prepared = picture_steps(page).values()
    assert np.array_equal(prepared, prepare_picture(page))
    assert paper.dtype == digit.dtype == bool and paper.shape == ink.shape == digit.shape
    assert not paper[0].any() and paper[digit].all()


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((0, 28)), "expected a picture as numbers"),
        (np.zeros(784), "expected a picture as numbers"),
        (np.zeros((1, 28, 28, 3)), "expected a picture as numbers"),
        (np.array([["a"] * 9] * 9), "expected a picture as numbers"),
        (None, "expected a picture as numbers"),
        ([[1, 2], [3]], "expected a picture as numbers"),
        (np.zeros((28, 28), complex), "expected a picture as numbers"),
        (np.zeros((28, 28, 5)), "channels"),
        (np.eye(7), "8 × 8"),
        (np.full((28, 28), np.nan), "NaN"),
        (np.where(np.eye(28) > 0, np.inf, 0), "NaN or infinite"),
        (np.full((28, 28), 255), "blank"),
    ],
)
def test_bad_picture_is_refused_in_words(array, message):
    with pytest.raises(ValueError, match=message):
        prepare_picture(array)


shapes = npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=12)
good_shapes = st.tuples(st.integers(8, 30), st.integers(8, 30)) | st.tuples(
    st.integers(8, 20), st.integers(8, 20), st.integers(1, 4)
)
real = ["bool", "uint8", "int8", "int64", "uint64", "float16", "float32", "float64"]
dtypes = st.sampled_from([*real, "complex128", "U2", "M8[s]"])


@pytest.mark.slow
@MANY
@given(st.data())
def test_any_array_gives_an_image_or_a_value_error(data):
    array = data.draw(npst.arrays(data.draw(dtypes), data.draw(good_shapes | shapes)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            image = prepare_picture(array)
        except ValueError:
            return
    assert_in_mnist_form(image)


# In a process of its own, so that its peak is that of this picture alone.
LARGE = """
import resource, numpy as np
from mnist_helpers import prepare_picture
from skimage import filters, measure, morphology, transform
picture = np.full((7000, 7000, 3), 230, np.uint8)
picture[1500:5500, 3300:3700] = 30
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
prepare_picture(picture)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts in kilobytes on Linux only")
def test_picture_of_49_megapixels_needs_at_most_300_mb_more():
    done = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 300


# --- files ------------------------------------------------------------------------------------


PAGE = np.repeat(np.repeat(np.arange(24, dtype=np.uint8).reshape(4, 6) * 10, 5, axis=0), 5, axis=1)


def saved(image: Image.Image, path, **options):
    image.save(path, **options)
    return read_picture(path)


def test_picture_comes_in_its_own_colours(tmp_path):
    colours = np.dstack([PAGE, 255 - PAGE, PAGE // 2])
    assert np.array_equal(saved(Image.fromarray(colours), tmp_path / "a.png"), colours)
    assert np.array_equal(saved(Image.fromarray(PAGE), tmp_path / "b.png"), PAGE)


@pytest.mark.parametrize("orientation, turns", [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_photograph_is_turned_as_the_camera_says(tmp_path, orientation, turns):
    exif = Image.Exif()
    exif[0x0112] = orientation
    seen = saved(Image.fromarray(PAGE), tmp_path / "a.png", exif=exif)
    assert np.array_equal(seen, np.rot90(PAGE, turns))


@pytest.mark.parametrize("ink, paper", [(0, 255), (255, 0)])
def test_behind_what_is_transparent_lies_paper_that_contrasts(tmp_path, ink, paper):
    opacity = np.zeros((20, 20), np.uint8)
    opacity[5:15, 8:12] = 255
    for colour in (np.dstack([np.full((20, 20), ink, np.uint8)] * n + [opacity]) for n in (1, 3)):
        seen = saved(Image.fromarray(colour), tmp_path / "a.png")
        assert seen[10, 10, 0] == ink and seen[0, 0, 0] == paper


@pytest.mark.parametrize("mode", ["CMYK", "P", "1", "I;16", "YCbCr"])
def test_any_colour_model_becomes_what_a_person_sees(tmp_path, mode):
    grey = np.where(PAGE > 100, 255, 0).astype(np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode)
    kind = "tiff" if mode in ("CMYK", "YCbCr") else "png"
    seen = saved(image, tmp_path / f"a.{kind}")
    assert seen.dtype == np.uint8
    assert np.abs(seen.reshape(*grey.shape, -1).mean(axis=2) - grey).max() < 20


def jpeg() -> bytes:
    file = io.BytesIO()
    Image.fromarray(corpus.make("plain", "drawings", 3, SEED)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "does not exist"),
        (b"", "no picture of a known kind"),
        (b"Dear Sir or Madam", "no picture of a known kind.*JPEG or PNG"),
        (jpeg()[:2000], "damaged or truncated"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC.*convert it to JPEG"),
    ],
)
def test_file_that_is_no_picture_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "my_digit.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=f"my_digit.jpg.*{message}"):
        read_picture(path)


def test_folder_is_no_picture(tmp_path):
    with pytest.raises(ValueError, match="is no file"):
        read_picture(tmp_path)


@pytest.mark.parametrize("side", [10_000, 15_000])
def test_decompression_bomb_is_refused(tmp_path, side):
    Image.new("1", (side, side)).save(tmp_path / "bomb.png")
    with pytest.raises(ValueError, match=r"bomb.png has too many pixels: make it smaller"):
        read_picture(tmp_path / "bomb.png")


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.dstack([PAGE] * 4)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "my_digit"


@st.composite
def damaged_files(draw):
    """Bytes at random, and pictures of which some bytes are others, or the end is missing."""
    start = draw(st.sampled_from([b"", b"GIF89a", b"BM", b"II*\0", b"P5 9 9 255 ", png(), jpeg()]))
    content = bytearray(start + draw(st.binary(max_size=40)))
    for _ in range(draw(st.integers(0, 4)) if content else 0):
        content[draw(st.integers(0, len(content) - 1))] = draw(st.integers(0, 255))
    return bytes(content[: draw(st.integers(0, len(content)))])


@pytest.mark.slow
@MANY
@given(content=st.binary(max_size=200) | damaged_files())
def test_any_file_gives_an_array_or_a_value_error(scratch, content):
    scratch.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            array = read_picture(scratch)
        except ValueError as error:
            assert "my_digit" in str(error)
            return
    assert array.dtype == np.uint8 and array.ndim in (2, 3)
