"""The commands as a user types them, on a handful of tiny rendered scenes."""

import contextlib
import csv
import json
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf
from image_encoding import damage_jpeg, damage_png
from tiny_run import COCO_BINDINGS, QUICKSTART, ROOT, TINY, TINY_RUN, run
from user_errors import expect_line

from ehsod_tf import cli, data
from ehsod_tf.ops import NativeOpsUnavailableError, load_library


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


def test_training_fills_the_run_folder(trained):
    model_dir, done = trained
    for name in (
        "operative_config.gin",
        "metrics.json",
        "history.csv",
        "timings.csv",
        "detections.json",
        "split.json",
        "report.html",
        "checkpoints/step-4/manifest.json",
        "checkpoints/best/manifest.json",
        "saved_model/saved_model.pb",
        "saved_model/assets/labels.txt",
    ):
        assert (model_dir / name).exists(), name
    assert list(model_dir.glob("tensorboard/events*"))
    assert (
        len(json.loads((model_dir / "split.json").read_text())["strong_image_ids"]) == 6
    )
    assert "6 strong" in done.stdout and "6 weak" in done.stdout
    assert str(model_dir / "report.html") in done.stdout


OUR_LINES = re.compile(
    r"""
      reading\ and\ checking\ the\ data\ \.\.\.
    | (devices|data|steps|rate|results)\ +\S.* |  # the summary, and no line at all
    | \ +to\ evaluate\ on | \ +evaluate\ on | \ +on
    | class\ .*
    | (disc|square|triangle|star|ring|cross)\ [\d.\ \N{EN DASH}]+
    | building\ the\ graph\ of\ a\ training\ step\ \.\.\.
    | epoch\ [12]/2\ .*total_loss\ .*
    | evaluating\ \.\.\.
    | [AP\dRsml\ ]+                         # the figures
    | [\d.\ \N{EN DASH}]+
    | \S+/tiny/(report.html|metrics.json|saved_model):\ .*
    """,
    re.VERBOSE,
)


def test_a_run_prints_no_line_that_is_not_ours(trained):
    lines = (trained[1].stdout + trained[1].stderr).splitlines()
    assert len(lines) > 20
    assert [line for line in lines if not OUR_LINES.fullmatch(line)] == []


def test_history_names_every_loss_term(trained):
    with open(trained[0] / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    terms = ["total_loss", "cam_cls", "cam_seg", "rpn_cls", "rpn_reg"]
    for stage in (1, 2, 3):
        terms += [f"stage{stage}_{t}" for t in ("mid", "proposals", "cls", "reg")]
    assert len(rows) == 2
    for term in terms:
        assert all(np.isfinite(float(row[term])) for row in rows), term


def test_report_shows_strong_and_weak_images_and_where_the_time_went(trained):
    text = (trained[0] / "report.html").read_text(encoding="utf-8")
    for words in (
        "Strong images: the boxes are known.",
        "Weak images: only the labels are known.",
        "added by the class map",
        "waiting for images, epoch 2:",
    ):
        assert words in text


def test_evaluate_repeats_training_figures_to_the_last_digit(trained, tmp_path):
    model_dir, _ = trained
    done = run("evaluate.py", f"--model_dir={model_dir}", f"--output_dir={tmp_path}")
    assert done.returncode == 0, done.stderr[-3000:]
    for name in ("metrics.json", "detections.json"):
        assert (tmp_path / name).read_text() == (model_dir / name).read_text()
    assert len(json.loads((tmp_path / "detections.json").read_text())) > 0


def test_saved_model_answers_like_the_run(trained, scenes):
    model_dir, _ = trained
    server = tf.saved_model.load(str(model_dir / "saved_model"))
    image_set = data.read_coco(
        scenes / "annotations/instances_val.json", scenes / "val"
    )
    encoded = [pathlib.Path(path).read_bytes() for path in image_set.paths]
    answer = server.signatures["serving_default"](image_bytes=tf.constant(encoded))
    wanted = json.loads((model_dir / "detections.json").read_text())
    num_compared = 0
    for row, image_id in enumerate(image_set.image_ids):
        expected = [item for item in wanted if item["image_id"] == image_id]
        count = int(answer["num_detections"][row])
        assert count == len(expected)
        for item, box, score, label in zip(
            expected,
            answer["detection_boxes"][row].numpy(),
            answer["detection_scores"][row].numpy(),
            answer["detection_classes"][row].numpy(),
            strict=False,
        ):
            x, y, width, height = item["bbox"]
            np.testing.assert_allclose(
                box, [y, x, y + height, x + width], rtol=0, atol=1e-3
            )
            assert score == pytest.approx(item["score"], abs=1e-5)
            assert image_set.category_ids[label] == item["category_id"]
            num_compared += 1
    assert num_compared > 0


def test_a_run_that_was_stopped_goes_on_to_the_same_end(trained, scenes, tmp_path):
    """SIGTERM in the second epoch; then the same command again."""
    model_dir = tmp_path / "tiny"
    command = [
        *(sys.executable, str(ROOT / "train.py"), f"--config={QUICKSTART}"),
        *(f"--data_dir={scenes}", f"--model_dir={model_dir}"),
        *(f"--gin_bindings={line}" for line in TINY),
    ]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (model_dir / "checkpoints/step-2/manifest.json").exists():
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGTERM)
    message = first.communicate(timeout=600)[1].decode()
    assert first.returncode == 143
    assert "start the run again to go on from there" in message
    assert not (model_dir / "saved_model").exists()

    second = subprocess.run(command, capture_output=True, timeout=600, check=False)
    assert second.returncode == 0, second.stderr.decode()[-3000:]
    for name in ("history.csv", "metrics.json", "detections.json", "split.json"):
        wanted = (trained[0] / name).read_text()
        assert (model_dir / name).read_text() == wanted, name


def test_another_run_lends_its_weights(trained, scenes, tmp_path, capsys):
    """To one in other numbers, that sees no labels of weak images."""
    lines = [
        f"Experiment.initial_weights = '{trained[0]}'",
        "EPOCHS = 1",
        "Experiment.steps_per_epoch = 1",
        "Experiment.dtype_policy = 'mixed_float16'",
        "Experiment.use_weak_labels = False",
    ]
    folder = tmp_path / "tuned"
    cli.train(QUICKSTART, [*TINY, *lines], str(folder), str(scenes))
    printed = capsys.readouterr().out
    assert f"weights of step 4 from {trained[0]}, all of them" in printed
    assert "12 images: 6 strong (boxes), 0 weak" in printed
    with open(folder / "history.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    assert float(row["loss_scale"]) == 2.0**15
    assert np.isfinite(float(row["total_loss"]))
    # That of whoever calls.
    assert keras.config.dtype_policy().name == "float32"


def test_rerun_of_a_finished_run_trains_no_further(trained, scenes, tmp_path, capsys):
    model_dir = tmp_path / "tiny"
    shutil.copytree(trained[0], model_dir)
    before = (model_dir / "metrics.json").read_text()
    cli.train(QUICKSTART, TINY, str(model_dir), str(scenes))
    assert (model_dir / "metrics.json").read_text() == before
    assert "epoch 1/2" not in capsys.readouterr().out


# --------------------------------------------------------------- a user's mistakes


@pytest.fixture
def broken(scenes, tmp_path):
    """A copy of the scenes to break, and the annotations as a dictionary."""
    folder = tmp_path / "scenes"
    shutil.copytree(scenes, folder)
    path = folder / "annotations/instances_train.json"
    content = json.loads(path.read_text())

    def write():
        path.write_text(json.dumps(content))

    return folder, content, write


def train_on(capsys, folder, *bindings):
    lines = [*COCO_BINDINGS, *bindings]
    return expect_line(capsys, cli.train, QUICKSTART, lines, None, str(folder))


def test_no_such_config(capsys):
    assert "configs/none.gin: no such config file" in expect_line(
        capsys, cli.train, "configs/none.gin"
    )


def test_no_such_data_folder(capsys, tmp_path):
    assert "nowhere" in train_on(capsys, tmp_path / "nowhere")


def test_unknown_class_name(capsys, broken):
    line = train_on(capsys, broken[0], "read_coco.class_names = ('disc', 'squaer')")
    assert "squaer" in line and "did you mean 'square'" in line


def test_missing_image_file(capsys, broken):
    (broken[0] / "train/000003.png").unlink()
    assert "000003.png" in train_on(capsys, broken[0])


def test_empty_annotation_file(capsys, broken):
    (broken[0] / "annotations/instances_train.json").write_text("")
    assert "instances_train.json" in train_on(capsys, broken[0])


def test_annotations_without_images(capsys, broken):
    folder, content, write = broken
    content["images"], content["annotations"] = [], []
    write()
    assert "no image" in train_on(capsys, folder)


def test_image_less_folder(capsys, broken):
    folder = broken[0]
    for path in (folder / "train").iterdir():
        path.unlink()
    line = train_on(capsys, folder)
    assert "train" in line


def test_box_outside_the_image(capsys, broken):
    folder, content, write = broken
    content["annotations"][2]["bbox"] = [1000.0, 0.0, 10.0, 10.0]
    write()
    line = train_on(capsys, folder)
    assert str(content["annotations"][2]["image_id"]) in line


def test_no_strong_image_in_the_split(capsys, broken):
    line = train_on(capsys, broken[0], "STRONG_PERCENT = 0.1")
    assert "no strong image" in line


def test_batch_larger_than_the_data(capsys, broken):
    assert "batch_size is 64" in train_on(capsys, broken[0], "BATCH_SIZE = 64")


def test_bad_checkpoint_folder(capsys, tmp_path):
    with pytest.raises(SystemExit):
        cli.evaluate(str(tmp_path))
    assert "operative_config.gin: no such config file" in capsys.readouterr().err


@pytest.mark.parametrize("damage", [damage_png, damage_jpeg])
def test_training_names_an_image_with_damaged_pixels(capsys, broken, tmp_path, damage):
    """One that is found only when its turn has come: no pixels are checked before."""
    damage(broken[0] / "train/000003.png")
    bindings = [*TINY_RUN, *COCO_BINDINGS, "BATCH_SIZE = 12"]
    with pytest.raises(SystemExit) as caught:
        cli.train(QUICKSTART, bindings, str(tmp_path / "run"), str(broken[0]))
    assert caught.value.code == cli.USER_ERROR_STATUS
    printed = capsys.readouterr()
    assert re.fullmatch("error: .*000003.png, image .*decoded.*\n", printed.err)
    assert "rate     0.001" in printed.out


@pytest.mark.parametrize("damage", [damage_png, damage_jpeg])
def test_evaluation_names_an_image_with_damaged_pixels(capsys, trained, broken, damage):
    damage(broken[0] / "val/000002.png")
    with pytest.raises(SystemExit) as caught:
        cli.evaluate(str(trained[0]), data_dir=str(broken[0]))
    assert caught.value.code == cli.USER_ERROR_STATUS
    error = capsys.readouterr().err
    assert re.fullmatch("error: .*000002.png, image .*decoded.*\n", error)


def test_doctor_tests_every_op_or_says_what_to_do(capsys):
    with contextlib.suppress(SystemExit):
        cli.doctor()
    printed = capsys.readouterr().out
    assert tf.__version__ in printed
    for op in ("multilevel_roi_align", "non_max_suppression"):
        (line,) = [line for line in printed.splitlines() if f"CPU:0  {op}" in line]
        assert "passed" in line or f"{line}\n       -> " in printed


def test_saved_model_needs_no_custom_operation(trained):
    content = (trained[0] / "saved_model/saved_model.pb").read_bytes()
    assert b"NonMaxSuppressionV3" in content
    assert b"EhsodMultilevelRoiAlign" not in content
    assert b"EhsodNonMaxSuppression" not in content


def test_native_export_answers_like_the_stock_one(trained, scenes, tmp_path, capsys):
    output = tmp_path / "native"
    try:
        load_library()
    except NativeOpsUnavailableError:
        with pytest.raises(SystemExit):
            cli.export(str(trained[0]), str(output), ops="native")
        assert "not built" in capsys.readouterr().err
        return
    cli.export(str(trained[0]), str(output), ops="native")
    content = (output / "saved_model.pb").read_bytes()
    assert b"EhsodMultilevelRoiAlign" in content
    assert b"EhsodNonMaxSuppression" in content
    encoded = tf.constant([(scenes / "val/000001.png").read_bytes()])
    answers = [
        tf.saved_model.load(str(folder)).signatures["serving_default"](
            image_bytes=encoded
        )
        for folder in (output, trained[0] / "saved_model")
    ]
    for name in ("detection_boxes", "detection_scores", "detection_classes"):
        np.testing.assert_allclose(
            answers[0][name], answers[1][name], rtol=1e-4, atol=1e-3
        )
