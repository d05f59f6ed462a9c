import functools
import json

import numpy as np
import pytest

from ehsod_tf import data
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.runs.data import (
    count_steps_per_epoch,
    load_data,
    load_evaluation_set,
    make_dataset,
)
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.structures import UNKNOWN


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scenes") / "scenes"
    data.ensure_synthetic_scenes(folder, num_train=12, num_val=3, seed=0, size=64)
    return folder


@pytest.fixture
def make(scenes):
    def read(subset, findings):
        return data.read_coco(
            scenes / "annotations" / f"instances_{subset}.json",
            scenes / subset,
            findings=findings,
        )

    return functools.partial(
        Experiment,
        build_model=None,
        read_training_set=functools.partial(read, "train"),
        read_evaluation_set=functools.partial(read, "val"),
        shorter_side=64,
        longer_side=64,
        batch_size=2,
        strong_percent=50.0,
    )


@pytest.mark.parametrize("steps, wanted", [(None, 3), (2, 2), (3, 3), (5, 5)])
def test_steps_of_an_epoch_may_differ_from_a_pass(make, steps, wanted):
    """Six strong images in batches of two; whatever the steps, all take their turn."""
    experiment = make(epochs=4, steps_per_epoch=steps, use_weak_images=False)
    images = load_data(experiment, data.Findings()).training_set
    assert count_steps_per_epoch(experiment, images) == wanted
    batches = list(make_dataset(experiment, images, 0, 0, 1).take(4 * wanted))
    assert len(batches) == 4 * wanted
    ids = np.concatenate([batch.image_ids for batch in batches])
    _, counts = np.unique(ids, return_counts=True)
    assert len(counts) == 6 and counts.max() - counts.min() <= 1


def test_other_steps_leave_the_order_as_it_is(make):
    """What a twin of another length has in common with a run is its beginning."""
    images = load_data(make(), data.Findings()).training_set
    short, long = (
        [batch.image_ids.numpy().tolist() for batch in make_dataset(e, images, 0, 0, 1)]
        for e in (make(epochs=1), make(epochs=1, steps_per_epoch=9))
    )
    assert long[: len(short)] == short and len(long) >= 9


@pytest.mark.parametrize("steps", [0, -3])
def test_an_epoch_has_a_step(make, steps):
    with pytest.raises(
        ConfigError, match="steps_per_epoch must be a whole number, at least 1, or None"
    ):
        make(steps_per_epoch=steps)


@pytest.fixture
def write_val(scenes, tmp_path):
    """Returns a function that rewrites the held-out annotations and gives a reader."""

    def write(change, **options):
        path = scenes / "annotations" / "instances_val.json"
        content = json.loads(path.read_text())
        change(content)
        changed = tmp_path / "val.json"
        changed.write_text(json.dumps(content))
        return functools.partial(data.read_coco, changed, scenes / "val", **options)

    return write


def drop_category(content, name="ring"):
    """Takes a category out of a COCO file, with its annotations."""
    [gone] = [c["id"] for c in content["categories"] if c["name"] == name]
    content["categories"] = [c for c in content["categories"] if c["id"] != gone]
    content["annotations"] = [
        a for a in content["annotations"] if a["category_id"] != gone
    ]


ALL_CLASSES = ("disc", "square", "triangle", "star", "ring", "cross")


@pytest.mark.parametrize("class_names", [None, ALL_CLASSES])
def test_an_evaluation_set_that_lacks_a_category(make, write_val, class_names):
    """The training set's classes, or those of the config, are enough."""
    options = {} if class_names is None else {"class_names": class_names}
    read = write_val(drop_category, unannotated="empty", **options)
    experiment = make(read_evaluation_set=read)
    findings = data.Findings()
    found = load_data(experiment, findings)
    whole = load_data(make(), data.Findings()).evaluation_set
    assert found.evaluation_set.class_names == ALL_CLASSES
    assert found.evaluation_set.class_names == found.training_set.class_names
    ring = ALL_CLASSES.index("ring")
    kept = whole.classes != ring
    np.testing.assert_array_equal(found.evaluation_set.classes, whole.classes[kept])
    np.testing.assert_array_equal(found.evaluation_set.boxes, whole.boxes[kept])
    assert (found.evaluation_set.image_labels[:, ring] == 0).all()
    assert len(set(found.evaluation_set.category_ids)) == 6
    is_noted = any("has no class called ring" in note for note in findings.notes)
    assert is_noted == (class_names is not None)
    # evaluate.py takes them from the checkpoint.
    again = load_evaluation_set(experiment, ALL_CLASSES)
    np.testing.assert_array_equal(again.classes, found.evaluation_set.classes)


def test_an_evaluation_set_with_a_category_of_its_own(make, write_val):
    def rename(content):
        content["categories"][4]["name"] = "rings"

    with pytest.raises(ConfigError, match="a class 'rings'.*did you mean 'ring'"):
        load_data(make(read_evaluation_set=write_val(rename)), data.Findings())


def test_training_and_evaluation_set_are_one_on_demand(make):
    """The usual first check: can the detector learn ten images by heart?"""
    read = make().read_training_set
    with pytest.raises(DataError, match="all 12.*allow_shared_images = True"):
        load_data(make(read_evaluation_set=read), data.Findings())
    findings = data.Findings()
    experiment = make(read_evaluation_set=read, allow_shared_images=True)
    found = load_data(experiment, findings)
    assert len(found.training_set.paths) == len(found.evaluation_set.paths) == 12
    assert not findings.problems
    assert any("12 of 12 evaluation images are training" in n for n in findings.notes)
    assert found.num_shared == 12
    boxed = make(
        read_evaluation_set=read, allow_shared_images=True, use_weak_images=False
    )
    found = load_data(boxed, data.Findings())
    assert found.num_shared == len(found.training_set.paths) < 12


def test_a_split_may_name_images_that_were_left_out(make, tmp_path):
    path = str(tmp_path / "split.json")
    ids = load_data(make(), data.Findings()).split.strong_image_ids
    data.write_split(path, data.Split(None, 50.0, (*ids, 999)))
    with pytest.raises(DataError, match=r"names 1 image .*first ids: 999"):
        load_data(make(split_file=path), data.Findings())
    findings = data.Findings()
    found = load_data(make(split_file=path, skip_bad=True), findings).training_set
    assert found.image_ids[found.is_strong].tolist() == list(ids)
    [problem] = findings.problems
    assert problem.field == "strong_image_ids"


def test_labels_of_weak_images_can_be_hidden(make):
    shown, hidden = (
        load_data(make(use_weak_labels=flag), data.Findings()).training_set
        for flag in (True, False)
    )
    strong = shown.is_strong
    assert (hidden.class_states[~strong] == UNKNOWN).all()
    assert (shown.class_states[~strong] != UNKNOWN).all()
    np.testing.assert_array_equal(
        hidden.class_states[strong], shown.class_states[strong]
    )


def test_labels_alone_are_not_enough(make):
    def read(findings):
        whole = make().read_training_set(findings=findings)
        split = data.apply_split(whole, data.Split(0, 10, (1,)))
        return split._replace(class_states=split.image_labels)

    with pytest.raises(DataError, match="none of 12 images has boxes.*alone"):
        load_data(make(read_training_set=read), data.Findings())
