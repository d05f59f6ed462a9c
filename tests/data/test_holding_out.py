"""A validation set drawn from the training images."""

import numpy as np
import pytest
from supervision import mark_boxed

from ehsod_tf import data
from ehsod_tf.data.columns import BoxRecord, assemble_image_set
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import PARTLY_BOXED

NUM_IMAGES, NUM_BOXED = 30, 20


@pytest.fixture
def read(tmp_path):
    """A reader of 20 boxed and 10 labelled images; files 0 and 1 are the same."""
    paths = [str(tmp_path / f"{i}.jpg") for i in range(NUM_IMAGES)]
    for number, path in enumerate(paths):
        with open(path, "wb") as file:
            file.write(b"%d" % max(number, 1))
    # Class 2 is on one image alone.
    classes = [2 if row == 7 else row % 2 for row in range(NUM_IMAGES)]
    image_set = assemble_image_set(
        class_names=("bus", "cat", "rare"),
        category_ids=(1, 2, 3),
        image_ids=range(NUM_IMAGES),
        image_names=[f"{i}.jpg" for i in range(NUM_IMAGES)],
        paths=paths,
        sizes=[(8, 8)] * NUM_IMAGES,
        objects=[
            BoxRecord(row, (1, 1, 4, 4), classes[row], 9, False)
            for row in range(NUM_IMAGES)
        ],
    )
    image_set = mark_boxed(image_set, np.arange(NUM_IMAGES) < NUM_BOXED)
    # Of the last image with boxes, a class is boxed in part.
    image_set.class_states[NUM_BOXED - 1, 1] = PARTLY_BOXED

    def read(findings=None, class_names=None):
        if findings is not None:
            findings.note("a note")
            findings.count_unannotated("boxes.json", 3)
        return image_set

    return read


def read_both(read, **settings):
    findings = data.Findings()
    parts = [
        data.read_part(read, part, findings=findings, **settings)
        for part in ("training", "validation")
    ]
    return *parts, findings


def test_the_parts_are_the_whole_and_share_nothing(read):
    training, validation, findings = read_both(read, percent=25.0)
    assert len(validation.paths) == 5
    assert validation.is_strong.all()
    both = np.concatenate([training.image_ids, validation.image_ids])
    assert sorted(both) == list(range(NUM_IMAGES))
    assert (~training.has_boxes).sum() == NUM_IMAGES - NUM_BOXED
    assert (training.has_boxes & ~training.is_strong).sum() == 1
    assert findings.notes == ["a note"]
    assert findings.unannotated == {"boxes.json": 3}


@pytest.mark.parametrize("seed", range(8))
def test_training_keeps_each_class_and_copies_stay_together(read, seed):
    training, validation, _ = read_both(read, percent=50.0, seed=seed)
    strong = training.image_labels[training.has_boxes]
    assert (strong == 1).any(axis=0).all()
    held_out = set(validation.image_ids.tolist())
    assert (0 in held_out) == (1 in held_out)


def test_the_seed_decides(read):
    first, second = (
        read_both(read, seed=seed)[1].image_ids.tolist() for seed in (1, 2)
    )
    assert first != second
    assert first == read_both(read, seed=1)[1].image_ids.tolist()


def test_wrong_settings_are_named(read):
    with pytest.raises(ConfigError, match="read_part.part is one of"):
        data.read_part(read, "train")
    with pytest.raises(ConfigError, match="above 0 and below 100, got 100"):
        data.read_part(read, "training", percent=100.0)


def test_one_boxed_image_is_too_few(read):
    def read_few(**arguments):
        whole = read(**arguments)
        return data.select_images(whole, ~whole.has_boxes | (whole.image_ids == 3))

    assert len(data.read_part(read_few, "training", findings=data.Findings()).paths)
    with pytest.raises(DataError, match="all their boxes, 1 of 11"):
        data.read_part(read_few, "validation", findings=data.Findings())
