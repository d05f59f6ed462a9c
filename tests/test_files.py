"""A file that is written is the old or the new one as a whole, never a part of it."""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from ehsod_tf.data import Split, write_problems, write_split
from ehsod_tf.evaluation import Results, write_detections, write_metrics
from ehsod_tf.files import open_new
from ehsod_tf.prediction import write_predictions
from ehsod_tf.runs.training import _write_text
from ehsod_tf.training import HistoryCsv
from ehsod_tf.visualization import write_prediction_page


def test_a_file_is_replaced_once_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("old", "neü"):
        before = os.listdir(tmp_path) and path.read_text("utf-8")
        with open_new(path) as file:
            file.write(text)
            file.flush()
            assert path.exists() == bool(before)
            assert not before or path.read_text("utf-8") == before
        assert path.read_text("utf-8") == text
    with pytest.raises(KeyboardInterrupt), open_new(path, "wb") as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_text("utf-8") == "neü"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "a.txt")
    for text in ("old", "new"):
        with open_new(tmp_path / "link") as file:
            file.write(text)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "disk" / "a.txt").read_text() == text


def test_what_is_no_file_is_written_as_it_is(tmp_path):
    reader, writer = os.pipe()
    with os.fdopen(writer), os.fdopen(reader) as source:
        with open_new(f"/dev/fd/{writer}") as file:
            file.write("text")
        os.set_blocking(reader, False)
        assert source.read(4) == "text"
    with pytest.raises(IsADirectoryError, match=str(tmp_path)), open_new(tmp_path):
        pass


WRITERS = {
    "metrics.json": lambda path: write_metrics(path, {"AP": 0.5}),
    "detections.json": lambda path: write_detections(path, NOTHING, CLASSES),
    "predictions": lambda path: write_predictions(path, []),
    "operative_config.gin": lambda path: _write_text(path, "A.b = 1"),
    "split.json": lambda path: write_split(path, Split(0, 50.0, (1, 2))),
    "left_out.csv": lambda path: write_problems(path, []),
    "history.csv": lambda path: HistoryCsv(path).add_row(0, {}),
    "page": lambda path: write_prediction_page(path, "title", [], 0),
}
NOTHING = Results(np.zeros(0, int), np.zeros([0, 4]), np.zeros(0), np.zeros(0, int))
CLASSES = SimpleNamespace(category_ids=(1,))


@pytest.mark.parametrize("name", WRITERS)
def test_a_kill_leaves_the_old_file(name, tmp_path, monkeypatch):
    path = tmp_path / name
    path.write_text("epoch\n1\n")

    def be_killed(*_):
        raise SystemExit

    monkeypatch.setattr(os, "replace", be_killed)
    with pytest.raises(SystemExit):
        WRITERS[name](path)
    assert path.read_text() == "epoch\n1\n"
