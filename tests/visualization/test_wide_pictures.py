"""PNGs of 16 bits are shown as the detector reads them, on every page."""

import base64
import io

import numpy as np
import pytest
import tensorflow as tf
from image_encoding import encode_png
from PIL import Image
from small_sets import make_image_set

from ehsod_tf import visualization
from ehsod_tf.data import summarize
from ehsod_tf.data.transforms import decode_image
from ehsod_tf.evaluation import Results
from ehsod_tf.prediction import Detector
from ehsod_tf.structures import ABSENT
from ehsod_tf.visualization.annotated_images import draw_card

# Left to right from black to the brightest.
RAMP = np.tile(np.linspace(0, 65535, 80).astype(">u2"), [60, 1])


@pytest.fixture(params=[1, 2, 3, 4])
def image_set(request, tmp_path):
    """One image: grey, grey with transparency, coloured, coloured with transparency."""
    channels = request.param
    image_set = make_image_set(tmp_path, [[ABSENT]], [True], ["cat"])
    values = np.repeat(RAMP[..., np.newaxis], channels, axis=-1)
    colour_type = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    (tmp_path / "ramp.png").write_bytes(encode_png(values, 16, colour_type))
    return image_set._replace(paths=[str(tmp_path / "ramp.png")])


@pytest.fixture(params=[16, 12])
def png_bits(request):
    return request.param


@pytest.fixture
def read(image_set, png_bits):
    """[60, 80, 3]: what the detector is given."""
    encoded = tf.io.read_file(image_set.paths[0])
    return decode_image(encoded, png_bits).numpy().astype(int)


def test_drawn_pictures(image_set, png_bits, read):
    class_names = ("cat",)
    detector = Detector(class_names, None, None, png_bits=png_bits)
    path = image_set.paths[0]
    nothing = Results(None, np.zeros([0, 4]), np.zeros(0), np.zeros(0, int))
    np.testing.assert_array_equal(detector.draw(path, nothing), read)


def test_pages(image_set, png_bits, read, tmp_path):
    drawn = draw_card(image_set, 0, png_bits).image
    np.testing.assert_allclose(drawn[2::4, 2::4], read, atol=8)
    picture = visualization.make_picture(image_set, 0, [], key="a", png_bits=png_bits)
    np.testing.assert_allclose(_decode(picture.uri), read, atol=8)
    path = tmp_path / "page.html"
    visualization.write_inspection(
        path,
        title="",
        image_set=image_set,
        summary=summarize(image_set),
        problems=[],
        notes=[],
        png_bits=png_bits,
    )
    uri = path.read_text().partition('<img src="')[2].partition('"')[0]
    np.testing.assert_allclose(_decode(uri)[2::4, 2::4], read, atol=12)


def test_a_damaged_file_is_told(image_set):
    with open(image_set.paths[0], "r+b") as file:
        file.truncate(60)
    card = draw_card(image_set, 0)
    assert card.note == (
        "cannot be shown: the pixels of the PNG cannot be decoded; replace the file"
    )


def _decode(uri):
    content = base64.b64decode(uri.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
