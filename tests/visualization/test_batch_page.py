import numpy as np
import pytest

from ehsod_tf.structures import BOXED, BOXED_ABSENT, PRESENT, UNKNOWN, Batch, Targets
from ehsod_tf.visualization import BatchNames, format_batch, write_batch_page
from ehsod_tf.visualization.batch_page import list_faults

LOGS = {"total_loss": float("nan"), "cam_cls": 0.25, "learning_rate": 0.01}
NAMES = BatchNames(("cat", "dog"), {7: "seven.jpg"})


@pytest.fixture
def batch():
    """A sound strong image of 40 x 60 pixels on a larger canvas, and a weak one."""
    return Batch(
        images=np.full([2, 64, 64, 3], 100.0, np.float32),
        image_sizes=np.array([[40, 60], [64, 64]], np.int32),
        scales=np.ones([2, 2], np.float32),
        image_ids=np.array([7, 8]),
        targets=Targets(
            boxes=np.array([[[5, 5, 30, 50]], [[0, 0, 0, 0]]], np.float32),
            classes=np.array([[1], [-1]], np.int32),
            class_states=np.array(
                [[BOXED_ABSENT, BOXED], [PRESENT, UNKNOWN]], np.int32
            ),
        ),
    )


def test_sound_images_have_no_faults(batch):
    assert list_faults(batch) == [[], []]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_broken_pixels(batch, value):
    batch.images[1, 3, 4:6] = value
    assert list_faults(batch) == [[], ["6 pixel values are NaN or infinite"]]


def test_pixels_of_another_range(batch):
    batch.images[0, 0, 0, 0] = -3.0
    assert list_faults(batch)[0] == ["pixel values from -3 to 100, not 0 to 255"]


@pytest.mark.parametrize(
    "box, words",
    [
        ([5, np.nan, 30, 50], "box [5, nan, 30, 50] is not finite"),
        ([5, 5, 5, 50], "box [5, 5, 5, 50] has no height or no width"),
        ([5, 5, 42, 50], "box [5, 5, 42, 50] leaves its image of 40 x 60 pixels"),
        ([5, -2, 30, 50], "box [5, -2, 30, 50] leaves its image of 40 x 60 pixels"),
    ],
)
def test_broken_boxes(batch, box, words):
    batch.targets.boxes[0, 0] = box
    assert list_faults(batch) == [[words], []]


def test_the_text_names_scalars_images_and_faults(batch):
    batch.images[1, 0, 0, 0] = np.nan
    lines = format_batch(batch, LOGS, 12, NAMES).splitlines()
    assert lines == [
        "step 12: 2 images",
        "  total_loss     nan <- not finite",
        "  cam_cls        0.25",
        "  learning_rate  0.01",
        "seven.jpg (id 7): strong, boxes: 1, 40 x 60 pixels",
        "image 8: weak, unknown classes: 1, 64 x 64 pixels",
        "  - 1 pixel values are NaN or infinite",
    ]


@pytest.mark.parametrize("names, dog", [(NAMES, "dog"), (None, "class 1")])
def test_the_page_shows_every_image(batch, tmp_path, names, dog):
    batch.targets.boxes[0, 0] = [5, np.inf, 30, 50]
    batch.images[0, :, :, 1] = np.nan
    write_batch_page(tmp_path / "page.html", batch, LOGS, 12, names)
    html = (tmp_path / "page.html").read_text()
    assert html.count("data:image/jpeg") == 2
    assert dog in html
    assert "is not finite" in html and "7,68" not in html
    assert "4,096 pixel values are NaN" in html
