"""The card in an export says what the run folder says of those weights."""

import csv
import json
import shutil

import gin
import pytest

from ehsod_tf.api import load_experiment
from ehsod_tf.runs.model_card import Weights, describe_model, find_figures, read_weights

CLASSES = ("disc", "square")


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


def test_a_run_ends_with_a_card_of_its_data_and_figures(trained):
    model_dir, _ = trained
    card = (model_dir / "saved_model" / "model_card.md").read_text()
    assert "The weights after step 4 of the run" in card
    supervision = (model_dir / "supervision.txt").read_text()
    assert supervision.startswith("12 images: 6 strong")
    assert supervision.strip() in card
    assert "50 % kept them for training (6 images, drawn with seed 0)" in card
    figures = json.loads((model_dir / "metrics.json").read_text())
    assert f"| AP50 | {figures['AP50']:.4f} |" in card
    assert f"| disc | {figures['per_class']['disc']['AP']:.4f} |" in card
    assert "| shorter_side | `64` |" in card
    assert "89,478,485 pixels" in card
    assert (model_dir / "operative_config.gin").read_text().strip() in card


def test_figures_are_those_of_the_step(trained):
    model_dir, _ = trained
    weights = read_weights(str(model_dir), averaged=False)
    assert weights == Weights(4, 2, False)
    with open(model_dir / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for row, step in zip(rows, (2, 4), strict=True):
        figures = find_figures(str(model_dir), Weights(step, 2, False))
        wanted = row["val_AP"]
        assert (f"{figures['AP']}" if figures else "") == wanted
    assert find_figures(str(model_dir), Weights(3, 2, False)) == {}


def test_only_the_evaluation_in_metrics_json_has_figures_by_class(trained, tmp_path):
    shutil.copy(trained[0] / "history.csv", tmp_path)
    metrics = json.loads((trained[0] / "metrics.json").read_text())
    (tmp_path / "metrics.json").write_text(json.dumps(metrics | {"AP": 0.123}))
    assert "per_class" not in find_figures(str(tmp_path), Weights(4, 2, False))
    (tmp_path / "metrics.json").unlink()
    assert find_figures(str(tmp_path), Weights(4, 2, False))["AP"] == metrics["AP"]


def test_figures_of_averages_have_the_plain_names(tmp_path):
    (tmp_path / "history.csv").write_text("epoch,val_AP,val_ema_AP\n1,0.25,0.5\n")
    (tmp_path / "metrics.json").write_text(
        '{"AP": 0.25, "ema_AP": 0.5, "per_class": {"disc": {"AP": 0.25}}}'
    )
    averages = find_figures(str(tmp_path), Weights(7, 7, True))
    assert averages == {"AP": 0.5}
    plain = find_figures(str(tmp_path), Weights(7, 7, False))
    assert plain == {"AP": 0.25, "per_class": {"disc": {"AP": 0.25}}}


def test_what_the_run_folder_lacks_is_said_to_be_unknown(trained, tmp_path):
    experiment = load_experiment(str(trained[0] / "operative_config.gin"))
    card = describe_model(experiment, CLASSES, str(tmp_path), Weights(4, 2, True))
    assert "moving averages of the weights after step 4" in card
    assert card.count("Not recorded in the run folder.") == 2
    assert "These weights were not evaluated by their run." in card


def test_metrics_that_were_cut_off_are_not_recorded(trained, tmp_path):
    shutil.copy(trained[0] / "history.csv", tmp_path)
    text = (trained[0] / "metrics.json").read_text()
    (tmp_path / "metrics.json").write_text(text[: len(text) // 2])
    figures = find_figures(str(tmp_path), Weights(4, 2, False))
    assert figures["AP"] == json.loads(text)["AP"] and "per_class" not in figures


def test_a_bar_in_a_class_name_ends_no_cell(trained, tmp_path):
    experiment = load_experiment(str(trained[0] / "operative_config.gin"))
    figures = {"AP": 0.5, "per_class": {"a|b": {"AP": 0.5}}}
    card = describe_model(experiment, ["a|b"], str(tmp_path), Weights(4, 2, 0), figures)
    assert "| a\\|b | 0.5000 |" in card


def test_a_figure_without_a_value_is_a_dash(trained, tmp_path):
    experiment = load_experiment(str(trained[0] / "operative_config.gin"))
    weights = Weights(4, 2, False)
    figures = {"AP": 0.5, "per_class": {"disc": {"AP": None}}}
    card = describe_model(experiment, CLASSES, str(tmp_path), weights, figures)
    assert "| AP | 0.5000 |" in card and "| disc | – |" in card
