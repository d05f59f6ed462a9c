"""What a run says on the terminal: the start-up summary, and how much of it."""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
import tiny_run

from ehsod_tf import cli, data
from ehsod_tf.errors import ConfigError
from ehsod_tf.runs.data import RunData
from ehsod_tf.runs.settings import Experiment
from ehsod_tf.runs.summary import Terminal
from ehsod_tf.structures import ImageSet, combine_states


def make_run_data(num_classes, num_strong, num_weak):
    """Every strong image shows class 0 in one box, every weak image the last class."""
    number = num_strong + num_weak
    is_strong = np.arange(number) < num_strong
    labels = np.zeros([number, num_classes], np.int8)
    labels[is_strong, 0] = 1
    labels[~is_strong, -1] = 1
    image_set = ImageSet(
        image_ids=np.arange(number),
        image_names=[f"{i}.png" for i in range(number)],
        paths=[f"{i}.png" for i in range(number)],
        sizes=np.full([number, 2], 64),
        row_splits=np.minimum(np.arange(number + 1), num_strong),
        boxes=np.tile(np.float32([[0, 0, 9, 9]]), [num_strong, 1]),
        classes=np.zeros(num_strong, np.int32),
        areas=np.full(num_strong, 81, np.float32),
        ignored=np.zeros(num_strong, bool),
        class_states=combine_states(labels, is_strong),
        class_names=tuple(f"class number {k}" for k in range(num_classes)),
        category_ids=tuple(range(1, num_classes + 1)),
    )
    split = data.Split(0, 100.0, tuple(range(num_strong)))
    return RunData(image_set, image_set, split)


def show_start(capsys, verbosity, num_classes=80):
    experiment = Experiment(
        build_model=len,
        read_training_set=len,
        read_evaluation_set=len,
        batch_size=32,
        decay_epochs=(8, 11),
    )
    run_data = make_run_data(num_classes, 40, 60)
    Terminal(verbosity).show_start(
        experiment, run_data, tf.distribute.get_strategy(), "runs/mine"
    )
    return capsys.readouterr().out


def test_the_summary_of_eighty_classes_fits_a_screen(capsys):
    text = show_start(capsys, "normal")
    lines = text.splitlines()
    # The command's own line and two of the progress are on the screen too.
    assert len(lines) <= 21
    assert all(len(line) < 80 for line in lines)
    text = " ".join(text.split())
    for fact in (
        "devices CPU (",
        "100 images: 40 strong (boxes), 60 weak (image labels only); 100 to evaluate",
        "steps 36 of 32 images: 12 epochs of 3",
        "rate 0.02 (0.01 for a batch of 16), warm-up over 500 steps",
        "a tenth after epochs 8 and 11",
        "results runs/mine",
        "fewest boxes, of 80 classes",
        "warning: no strong image shows class number 1, ",
        "and 71 more",
    ):
        assert fact in text
    assert "class number 79" not in text


def test_debug_lists_every_class(capsys):
    assert "class number 79  " in show_start(capsys, "debug")


def test_quiet_leaves_the_warnings(capsys):
    text = show_start(capsys, "quiet", num_classes=3)
    assert " ".join(text.split()) == (
        "warning: no strong image shows class number 1, class number 2; boxes of such "
        "a class cannot be learnt"
    )


def test_a_run_that_goes_on_says_so(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("ehsod_tf.training.has_checkpoints", lambda folder: True)
    assert "runs/mine, where it goes on from the newest" in show_start(capsys, "normal")


def test_an_unknown_verbosity_is_named():
    with pytest.raises(ConfigError, match="--verbosity.*loud"):
        Terminal("loud")


def list_words(folder, scenes, verbosity):
    return [
        f"--config={tiny_run.QUICKSTART}",
        f"--data_dir={scenes}",
        f"--model_dir={folder}",
        f"--verbosity={verbosity}",
        *(
            f"--gin_bindings={line}"
            for line in [*tiny_run.TINY, "EPOCHS = 1", "Experiment.steps_per_epoch = 1"]
        ),
    ]


def test_a_run_says_no_more_than_fits(trained):
    normal = trained[1].stdout
    assert re.search(r"\nepoch 1/2  step 2/2 .* left  total_loss [\d.]+\n", normal)
    assert "stage3 cls" not in normal
    words = [line for line in normal.splitlines() if "/tiny" not in line]
    assert max(map(len, words)) < 80


def test_a_quiet_run_gives_its_figures(scenes, tmp_path, capfd):
    cli.main(["train", *list_words(tmp_path / "quiet", scenes, "quiet")])
    captured = capfd.readouterr()
    assert captured.out.split()[:2] == ["AP", "AP50"]
    assert "epoch" not in captured.out + captured.err


def test_a_run_for_finding_faults_says_everything(scenes, tmp_path):
    done = tiny_run.run("train.py", *list_words(tmp_path / "debug", scenes, "debug"))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "stage3 cls" in done.stdout
    assert "training from step 0 to step 1" in done.stderr


@pytest.mark.parametrize("verb", ["train", "evaluate", "predict"])
def test_debug_shows_where_an_error_arose(verb, tmp_path, capfd):
    missing = str(tmp_path / "missing")
    words = {
        "train": ["train", "--config", missing],
        "evaluate": ["evaluate", "--model_dir", missing],
        "predict": ["predict", missing, missing],
    }[verb]
    for verbosity, has_traceback in (("quiet", False), ("debug", True)):
        with pytest.raises(SystemExit):
            cli.main([*words, "--verbosity", verbosity])
        text = capfd.readouterr().err
        assert "error: " in text
        assert ("Traceback" in text) == has_traceback


class _TerminalText(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("verbosity", "has_bar"), [("normal", True), ("quiet", False)])
def test_progress_of_the_other_verbs(trained, scenes, monkeypatch, verbosity, has_bar):
    image = str(scenes / "val" / "000001.png")
    output = str(scenes.parent / f"found_{verbosity}")
    for words in (
        ["evaluate", "--model_dir", str(trained[0])],
        ["predict", str(trained[0]), image, "--output", output],
    ):
        terminal = _TerminalText()
        monkeypatch.setattr("sys.stderr", terminal)
        cli.main([*words, "--verbosity", verbosity])
        assert ("100%" in terminal.getvalue()) == has_bar
