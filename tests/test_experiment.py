import functools

import numpy as np
import pytest

from ehsod_tf import data
from ehsod_tf.errors import ConfigError
from ehsod_tf.runs.data import count_steps_per_epoch, load_data, make_dataset
from ehsod_tf.runs.settings import Experiment


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
    with pytest.raises(ConfigError, match="steps_per_epoch must be at least 1"):
        make(steps_per_epoch=steps)
