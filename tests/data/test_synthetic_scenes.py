import json
import os

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.data import read_coco, validate
from ehsod_tf.data.scenes import synthetic
from ehsod_tf.data.scenes.drawing import SUPERSAMPLING, average_down, draw_shape
from ehsod_tf.data.scenes.synthetic import (
    SCENE_CLASSES,
    ensure_synthetic_scenes,
    render_scene,
    write_synthetic_scenes,
)
from ehsod_tf.errors import DataError

SMALL = {"num_train": 4, "num_val": 2, "seed": 5, "size": 64}


def read_tree(folder):
    content = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with open(path, "rb") as file:
                content[os.path.relpath(path, folder)] = file.read()
    return content


def test_the_files_are_a_sound_coco_set(tmp_path):
    write_synthetic_scenes(tmp_path, **SMALL)
    for name, count in (("train", 4), ("val", 2)):
        found = read_coco(
            tmp_path / "annotations" / f"instances_{name}.json", tmp_path / name
        )
        validate(found)
        assert found.class_names == SCENE_CLASSES and len(SCENE_CLASSES) >= 6
        assert len(found.paths) == count
        assert (np.diff(found.row_splits) >= 1).all()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    write_synthetic_scenes(tmp_path / "a", **SMALL)
    write_synthetic_scenes(tmp_path / "b", **SMALL)
    write_synthetic_scenes(tmp_path / "c", **{**SMALL, "seed": 6})
    first = read_tree(tmp_path / "a")
    assert first == read_tree(tmp_path / "b")
    assert first["train/000001.png"] != read_tree(tmp_path / "c")["train/000001.png"]
    assert first["train/000001.png"] != first["val/000001.png"]


def test_a_scene_does_not_depend_on_how_many_there_are(tmp_path):
    write_synthetic_scenes(tmp_path / "a", **SMALL)
    write_synthetic_scenes(tmp_path / "b", **{**SMALL, "num_train": 2})
    for name in ("train/000002.png", "val/000002.png"):
        assert read_tree(tmp_path / "a")[name] == read_tree(tmp_path / "b")[name]


@pytest.fixture(scope="module")
def scenes():
    return [render_scene(96, np.random.default_rng(seed)) for seed in range(120)]


def test_scenes_vary(scenes):
    shapes = {image.shape for image, _ in scenes}
    assert shapes == {(96, 96, 3), (76, 96, 3), (96, 76, 3)}
    counts = np.array([len(objects) for _, objects in scenes])
    assert set(counts) == {1, 2, 3, 4, 5}
    classes = np.bincount([o.class_index for _, objects in scenes for o in objects])
    assert len(classes) == len(SCENE_CLASSES)
    assert classes.min() > counts.sum() / len(SCENE_CLASSES) / 2
    several = [len({o.class_index for o in objects}) > 1 for _, objects in scenes]
    assert np.mean(several) > 0.5


def test_objects_overlap_but_stay_visible(scenes):
    visible = np.array([o.visible for _, objects in scenes for o in objects])
    assert visible.min() >= 0.35
    assert np.mean(visible < 0.95) > 0.1


def test_sizes_range_from_a_sixth_to_a_half(scenes):
    longest = [
        max(o.box[2] - o.box[0], o.box[3] - o.box[1]) / 96
        for _, objects in scenes
        for o in objects
    ]
    assert np.quantile(longest, 0.02) < 0.18
    assert np.quantile(longest, 0.98) > 0.4
    assert max(longest) <= 0.55


def test_boxes_lie_within_the_image(scenes):
    for image, objects in scenes:
        for item in objects:
            ymin, xmin, ymax, xmax = item.box
            assert 0 <= ymin < ymax <= image.shape[0]
            assert 0 <= xmin < xmax <= image.shape[1]
            assert 0 < item.area <= (ymax - ymin) * (xmax - xmin)


def test_the_box_is_where_the_pixels_are():
    """On a plain background, what differs from it is the object."""
    rng = np.random.default_rng(1)
    background = np.full((64, 80, 3), 0.5, np.float32)
    mask, item = synthetic._place_shape(64, 80, [], [], rng)
    shape = SCENE_CLASSES[item.class_index]
    painted = synthetic._paint(background, mask, shape, rng)
    rows, columns, _ = np.nonzero(painted != background)
    found = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    assert np.abs(np.subtract(found, item.box)).max() < 1


@pytest.mark.parametrize("shape", SCENE_CLASSES)
def test_shapes_fill_their_patch(shape):
    mask = draw_shape(shape, 20.0, np.random.default_rng(0))
    assert mask.shape[0] == mask.shape[1] and len(mask) % SUPERSAMPLING == 0
    assert not mask[0].any() and not mask[-1].any()
    rows = np.flatnonzero(mask.any(axis=1))
    assert np.ptp(rows) / SUPERSAMPLING > 20
    filled = mask.sum() / SUPERSAMPLING**2 / (np.pi * 20**2)
    assert 0.2 < filled < 1


def test_shapes_differ():
    areas = {
        shape: draw_shape(shape, 30.0, np.random.default_rng(0)).sum()
        for shape in SCENE_CLASSES
    }
    assert len(set(areas.values())) == len(SCENE_CLASSES)


def test_average_down():
    mask = np.zeros((SUPERSAMPLING, 2 * SUPERSAMPLING), bool)
    mask[:, SUPERSAMPLING:] = True
    mask[0, 0] = True
    np.testing.assert_allclose(average_down(mask), [[1 / SUPERSAMPLING**2, 1]])


def test_ensure_renders_once(tmp_path):
    folder = tmp_path / "scenes"
    ensure_synthetic_scenes(folder, **SMALL)
    first = os.stat(folder / "train" / "000001.png").st_mtime_ns
    ensure_synthetic_scenes(folder, **SMALL)
    assert os.stat(folder / "train" / "000001.png").st_mtime_ns == first
    assert os.listdir(tmp_path) == ["scenes"]


def test_ensure_renders_anew_for_other_parameters(tmp_path):
    ensure_synthetic_scenes(tmp_path / "scenes", **SMALL)
    ensure_synthetic_scenes(tmp_path / "scenes", **{**SMALL, "num_train": 2})
    content = json.loads(
        (tmp_path / "scenes/annotations/instances_train.json").read_text()
    )
    assert len(content["images"]) == 2
    assert len(os.listdir(tmp_path / "scenes" / "train")) == 2


def test_ensure_touches_no_other_files(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="holds other files"):
        ensure_synthetic_scenes(tmp_path, **SMALL)
    ensure_synthetic_scenes(tmp_path / "scenes", **SMALL)
    (tmp_path / "scenes" / "notes.txt").write_text("mine")
    with pytest.raises(DataError, match="holds other files"):
        ensure_synthetic_scenes(tmp_path / "scenes", **{**SMALL, "seed": 1})


def test_ensure_leaves_nothing_when_interrupted(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        ensure_synthetic_scenes(tmp_path / "scenes", **SMALL)
    assert os.listdir(tmp_path) == []


def test_scenes_behind_a_link_are_replaced_where_they_lie(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "scenes").symlink_to(tmp_path / "disk")
    for seed in (5, 6):
        ensure_synthetic_scenes(tmp_path / "scenes", **{**SMALL, "seed": seed})
        write_synthetic_scenes(tmp_path / f"{seed}", **{**SMALL, "seed": seed})
        assert (tmp_path / "scenes").is_symlink()
        found, wanted = read_tree(tmp_path / "disk"), read_tree(tmp_path / f"{seed}")
        assert {name: found[name] for name in wanted} == wanted
