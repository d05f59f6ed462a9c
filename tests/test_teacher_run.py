"""A run with a teacher, on data with faults, by what the quickstart leaves alone.

It keeps moving averages of its weights, which the commands and `load` take on demand.
"""

import contextlib
import csv
import io
import json
import os
import shutil
from typing import NamedTuple

import gin
import numpy as np
import pytest
import tensorflow as tf
from image_encoding import damage_png
from tensorflow.python.framework import config as tf_config
from tiny_run import COCO_BINDINGS, QUICKSTART, TINY_RUN

import ehsod_tf
from ehsod_tf import cli, data
from ehsod_tf.training.restoration import read_record

LINES = [
    "include 'recipes/teacher.gin'",
    *TINY_RUN,
    *COCO_BINDINGS,
    "TEACHER_BURN_IN = 1",
    # A detector of four steps is sure of nothing: its best guess of each class counts.
    "Teacher.best_score = 0.0",
    "Teacher.other_score = 1.0",
    # The averages are to differ from the weights.
    "LEARNING_RATE = 0.01",
    "Experiment.warmup_steps = 1",
    "Experiment.check_pixels = True",
    "Experiment.stratified_split = True",
    "Experiment.deterministic = True",
    "Experiment.save_every = 1",
    "Experiment.keep_checkpoints = 2",
]
NUM_SOUND = 10


class Finished(NamedTuple):
    """A run that has ended: its folder, its data and cache, and what it printed."""

    folder: os.PathLike
    scenes: os.PathLike
    cache: os.PathLike
    printed: str


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


@pytest.fixture(scope="module")
def finished(scenes, tmp_path_factory):
    place = tmp_path_factory.mktemp("teacher")
    run = Finished(place / "run", place / "scenes", place / "cache", "")
    shutil.copytree(scenes, run.scenes)
    damage_png(run.scenes / "train/000003.png")
    path = run.scenes / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    assert content["annotations"][0]["image_id"] == content["images"][0]["id"]
    content["annotations"][0]["bbox"] = [0, 0, -1, 5]
    path.write_text(json.dumps(content))
    lines = [*LINES, f"Experiment.image_cache = '{run.cache}'"]
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            cli.main(
                ["train", f"--config={QUICKSTART}", "--skip_bad"]
                + [f"--data_dir={run.scenes}", f"--model_dir={run.folder}"]
                + [f"--gin_bindings={line}" for line in lines]
            )
        assert tf_config.is_op_determinism_enabled()
    finally:
        # Of the whole process, and TensorFlow has no public way back.
        tf_config.disable_op_determinism()
        gin.clear_config()
    return run._replace(printed=printed.getvalue())


def read_averages(checkpoint):
    """The moving averages of a checkpoint, as sets of bytes."""
    reader = tf.train.load_checkpoint(str(checkpoint / "variables"))
    names = read_record(str(checkpoint))["variables"]["optimizer"]
    found = {
        reader.get_tensor(f"optimizer/{place}/.ATTRIBUTES/VARIABLE_VALUE").tobytes()
        for place, (name, _) in enumerate(names)
        if name.endswith("_average")
    }
    assert len(found) > 20
    return found


def read_exported(folder):
    reader = tf.train.load_checkpoint(str(folder / "variables/variables"))
    names = [n for n in reader.get_variable_to_shape_map() if "VARIABLE_VALUE" in n]
    return {reader.get_tensor(name).tobytes() for name in names}


def test_images_with_faults_are_left_out_and_listed(finished):
    path = finished.folder / "left_out.csv"
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["field"] or row["file"] for row in rows] == [
        "bbox",
        str(finished.scenes / "train/000003.png"),
    ]
    assert (
        "skipped: 2 problems; the images concerned are left out, see "
        f"{path}\n" in finished.printed
    )
    for row in rows:
        assert f": {row['message']}\n" in finished.printed
    assert f"{NUM_SOUND} images: 5 strong" in finished.printed
    assert "000003.png" in (finished.folder / "report.html").read_text()


def test_the_split_is_drawn_class_by_class(finished):
    findings = data.Findings()
    sound = data.validate(
        data.read_coco(
            finished.scenes / "annotations/instances_train.json",
            finished.scenes / "train",
            findings=findings,
        ),
        check_pixels=True,
        findings=findings,
    )
    split = data.read_split(finished.folder / "split.json")
    assert split == data.make_split(sound, 50.0, 0, stratified=True)
    assert split.strong_image_ids != data.make_split(sound, 50.0, 0).strong_image_ids


def test_as_many_checkpoints_and_decoded_images_are_kept_as_wanted(finished):
    kept = sorted(path.name for path in (finished.folder / "checkpoints").iterdir())
    assert kept == ["best", "step-3", "step-4"]
    assert len(list(finished.cache.glob("*.rgb"))) == NUM_SOUND


def test_the_averages_and_the_teacher_are_measured(finished):
    figures = json.loads((finished.folder / "metrics.json").read_text())
    plain = {
        name: value
        for name, value in figures.items()
        if not name.startswith(("ema_", "pseudo_", "per_class"))
    }
    averaged = {name: figures[f"ema_{name}"] for name in plain}
    assert averaged != plain
    assert 0.0 < figures["pseudo_images"] <= 1.0
    assert 0.0 <= figures["pseudo_precision"] <= 1.0
    with open(finished.folder / "history.csv", newline="") as file:
        (*_, last) = csv.DictReader(file)
    assert float(last["val_ema_AP"]) == figures["ema_AP"]
    assert float(last["teacher_images"]) > 0
    card = (finished.folder / "saved_model/model_card.md").read_text()
    assert "The moving averages of the weights after step 4 of the run" in card
    assert f"| AP | {figures['ema_AP']:.4f} |" in card


def test_evaluate_and_export_take_the_averages(finished, tmp_path, capsys):
    saved = read_exported(finished.folder / "saved_model")
    assert read_averages(finished.folder / "checkpoints/step-4") <= saved
    words = [f"--model_dir={finished.folder}", "--averaged"]
    output, exported = tmp_path / "figures", tmp_path / "exported"
    cli.main(
        ["evaluate", *words, f"--output_dir={output}", f"--export={exported}"],
    )
    assert f"{exported}: SavedModel" in capsys.readouterr().out
    assert read_exported(exported) == saved
    wanted = json.loads((finished.folder / "metrics.json").read_text())
    figures = json.loads((output / "metrics.json").read_text())
    del figures["per_class"]
    assert figures == {name: wanted[f"ema_{name}"] for name in figures}

    earlier = finished.folder / "checkpoints/step-3"
    output = tmp_path / "earlier"
    cli.main(["export", *words, f"--checkpoint={earlier}", f"--output={output}"])
    assert read_averages(earlier) <= read_exported(output) != saved
    labels = (output / "assets/labels.txt").read_text().split()
    assert labels[:2] == ["disc", "square"]
    card = (output / "model_card.md").read_text()
    assert "The moving averages of the weights after step 3 of the run" in card


def test_predict_takes_the_averages_as_the_saved_model_has_them(finished, tmp_path):
    val, output = finished.scenes / "val", tmp_path / "found"
    cli.main(
        ["predict", str(finished.folder), str(val), "--averaged", "--no_pictures"]
        + [f"--output={output}", "--score_threshold=0"]
    )
    assert [path.name for path in output.iterdir()] == ["detections.json"]
    entries = json.loads((output / "detections.json").read_text())
    saved = ehsod_tf.load(finished.folder / "saved_model")
    wanted = saved.predict(val, score_threshold=0.0)
    scores = [entry["score"] for entry in entries]
    np.testing.assert_allclose(
        scores, np.concatenate([one.scores for one in wanted]), rtol=0, atol=1e-5
    )
    # Those of the weights themselves.
    plain = json.loads((finished.folder / "detections.json").read_text())
    plain = sorted(entry["score"] for entry in plain)
    assert len(scores) != len(plain) or not np.allclose(sorted(scores), plain)
