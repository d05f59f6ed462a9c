import csv
import io
import re
import shutil

import keras
import pytest
import tensorflow as tf
from rich.console import Console
from toy_detector import make_checkpoints, make_dataset, make_model

from ehsod_tf.errors import DataError
from ehsod_tf.training import (
    HistoryCsv,
    ProgressDisplay,
    TensorBoardScalars,
    TimingsCsv,
    train,
)
from ehsod_tf.training.progress import (
    choose_terms,
    format_duration,
    format_number,
    group_terms,
    lay_out,
)

LOGS = {
    "total_loss": 2.3456,
    "cam_cls": 0.52,
    "cam_seg": 0.031,
    "rpn_cls": 0.69,
    "rpn_reg": 0.0001,
    "rpn_positives": 31.0,
    **{
        f"stage{k}_{term}": 0.25 * k
        for k in (1, 2, 3)
        for term in ("mid", "proposals", "cls", "reg", "positives")
    },
    "learning_rate": 0.00333333,
    "gradient_norm": 27.123,
}


def make_console(**arguments):
    return Console(
        file=io.StringIO(), width=80, markup=False, highlight=False, **arguments
    )


def play(display, epochs=2, steps=3, figures=None):
    """Calls a callback as the loop does."""
    callbacks = keras.callbacks.CallbackList([display], epochs=epochs, steps=steps)
    callbacks.on_train_begin()
    for epoch in range(epochs):
        callbacks.on_epoch_begin(epoch)
        for index in range(steps):
            callbacks.on_train_batch_begin(index)
            callbacks.on_train_batch_end(index, LOGS)
        if figures:
            callbacks.on_test_begin()
        callbacks.on_epoch_end(epoch, {**LOGS, **(figures or {})})
    callbacks.on_train_end()


def show_screen(text):
    """Plays text back as a terminal does that knows the codes in use."""
    lines, row = [""], 0
    for piece in re.split(r"(\x1b\[[?\d;]*[A-Za-z]|\n|\r)", text):
        if piece == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif piece == "\x1b[2K":
            lines[row] = ""
        elif match := re.fullmatch(r"\x1b\[(\d+)A", piece):
            row -= int(match[1])
            assert row >= 0, "moved above the screen"
        elif not re.match(r"\x1b|\r", piece):
            lines[row] += piece
    return lines


def has_cursor(text):
    return text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l")


def test_terminal_has_a_line_for_each_epoch_and_keeps_nothing_else(monkeypatch):
    monkeypatch.setattr("ehsod_tf.training.progress._SECONDS_BETWEEN_REDRAWS", 0.0)
    console = make_console(force_terminal=True)
    play(ProgressDisplay(console=console), figures={"val_AP": 0.123, "val_ARs": 0.4})
    lines = [line for line in show_screen(console.file.getvalue()) if line.strip()]
    assert [re.sub(r"\d:\d\d", "0:00", line).rstrip() for line in lines] == [
        f"epoch {epoch}/2 done in 0:00  total_loss 2.346  AP 0.123" for epoch in (1, 2)
    ]
    assert has_cursor(console.file.getvalue())


def test_terminal_shows_two_lines_that_fit(monkeypatch):
    monkeypatch.setattr("ehsod_tf.training.progress._SECONDS_BETWEEN_REDRAWS", 0.0)
    console = make_console(force_terminal=True)
    display = ProgressDisplay(console=console)
    display.set_params({"epochs": 12, "steps": 7330})
    display.on_train_begin()
    display.on_epoch_begin(0)
    for index in range(7330 - 3, 7330):
        display.on_train_batch_end(index, LOGS)
    lines = show_screen(console.file.getvalue())
    assert re.fullmatch(
        r"epoch 1/12 ━{20} step 7330/7330  \d+ ms/step  \S+ left *", lines[0]
    )
    assert lines[1].rstrip() == (
        "total_loss 2.346  cam_cls 0.520  stage3_cls 0.750  stage3_mid 0.750"
    )
    assert all(len(line) <= 80 for line in lines)
    display.on_train_end()


def test_terminal_is_given_back_when_training_fails(tmp_path):
    console = make_console(force_terminal=True)

    class Failing(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise ValueError("of a user's own")

    with pytest.raises(ValueError, match="of a user's own"):
        run(tmp_path, ProgressDisplay(console=console), Failing())
    assert has_cursor(console.file.getvalue())


def test_log_file_gets_few_short_lines():
    console = make_console()
    play(ProgressDisplay(seconds_between_lines=1000.0, console=console), steps=50)
    lines = console.file.getvalue().splitlines()
    assert [re.search(r"building|step \S+|done", line)[0] for line in lines] == [
        *("building", "step 1/50", "step 50/50", "done"),
        *("step 50/50", "done"),
    ]
    assert "\x1b" not in console.file.getvalue()
    assert all(len(line) < 80 for line in lines)
    assert lines[1] == "epoch 1/2  step 1/50  total_loss 2.346"


def test_debug_shows_every_term_on_lines_that_fit():
    console = make_console()
    play(ProgressDisplay(all_terms=True, console=console), epochs=1, steps=1)
    lines = console.file.getvalue().splitlines()
    assert lines[1:-1] == [
        "epoch 1/1  step 1/1",
        "total_loss 2.346  learning_rate 0.00333  gradient_norm 27.1",
        "cam_cls 0.520  cam_seg 0.031 | rpn_cls 0.690  rpn_reg 1.0e-04",
        "stage1 cls 0.250  mid 0.250  proposals 0.250  reg 0.250",
        "stage2 cls 0.500  mid 0.500  proposals 0.500  reg 0.500",
        "stage3 cls 0.750  mid 0.750  proposals 0.750  reg 0.750",
    ]


def test_time_left_counts_steps_and_pauses(monkeypatch):
    """Epochs of 10 steps of 2 s, the first 30 s; 60 s between two epochs."""
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    console = make_console()
    display = ProgressDisplay(seconds_between_lines=0.0, console=console)
    display.set_params({"epochs": 3, "steps": 10})
    for epoch in range(2):
        display.on_epoch_begin(epoch)
        for index in range(10):
            now += 30.0 if (epoch, index) == (0, 0) else 2.0
            display.on_train_batch_end(index, LOGS)
        now += 60.0
    lines = console.file.getvalue().splitlines()
    assert lines[0].startswith("epoch 1/3  step 1/10  total_loss")
    # 8 steps here and 10 in each epoch after; no pause is known yet.
    assert "  2.00 s/step  0:56 left  " in lines[1]
    # 9 steps here, 10 in the last epoch, a pause after each.
    assert "  2.00 s/step  2:38 left  " in lines[10]


def test_terms_are_means_of_the_last_steps():
    console = make_console()
    display = ProgressDisplay(seconds_between_lines=0.0, console=console)
    display.set_params({"epochs": 1, "steps": 2})
    display.on_epoch_begin(0)
    display.on_train_batch_end(0, {**LOGS, "total_loss": 1.0})
    display.on_train_batch_end(1, {**LOGS, "total_loss": 2.0})
    assert "total_loss 1.500" in console.file.getvalue().splitlines()[-1]


def test_a_teachers_boxes_are_among_the_few_terms():
    assert choose_terms({**LOGS, "teacher_boxes": 1.5})[-1] == "teacher_boxes 1.500"
    assert choose_terms({"total_loss": 1.0}) == ["total_loss 1.000"]


def test_every_loss_term_is_grouped():
    items = " ".join(item for group in group_terms(LOGS) for item in group)
    for name in ("cam_cls", "cam_seg", "rpn_cls", "rpn_reg", "stage2 cls"):
        assert f"{name} " in items
    assert "positives" not in items


@pytest.mark.parametrize("width", [20, 40, 80, 200])
def test_layout_keeps_to_the_width_and_loses_nothing(width):
    groups = group_terms(LOGS)
    lines = lay_out(groups, width)
    longest = max(len(item) + 2 for group in groups for item in group)
    assert all(len(line) <= max(width, longest) for line in lines)
    items = [item.strip() for line in lines for item in re.split(r" \| |  ", line)]
    assert [i for i in items if i] == [item for group in groups for item in group]


def test_formats():
    assert format_duration(59.6) == "1:00"
    assert format_duration(3725) == "1:02:05"
    assert format_duration(90061) == "1 d 1:01:01"
    assert format_number(0.0) == "0.000"
    assert format_number(1234567.0) == "1.2e+06"


def read_table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def run(folder, *callbacks, **arguments):
    model = make_model()
    return train(
        model,
        make_dataset(),
        strategy=tf.distribute.get_strategy(),
        epochs=arguments.pop("epochs", 3),
        steps_per_epoch=4,
        checkpoints=make_checkpoints(model, folder),
        callbacks=callbacks,
        **arguments,
    )


def test_history_csv_equals_the_history(tmp_path):
    path = tmp_path / "run" / "history.csv"
    history = run(
        tmp_path, HistoryCsv(path), evaluate=lambda: {"AP": 1 / 3}, evaluate_every=2
    )
    table = read_table(path)
    names = sorted(history[0].keys() - {"epoch"})
    assert list(table[0]) == ["epoch", *names, "val_AP"]
    assert [row["val_AP"] for row in table] == ["", repr(1 / 3), repr(1 / 3)]
    for row, wanted in zip(table, history, strict=True):
        assert {k: float(v) for k, v in row.items() if v} == wanted


def test_a_repeated_epoch_has_one_row(tmp_path):
    """The second run starts again from epoch 2, as after the loss of a checkpoint."""
    path = tmp_path / "history.csv"
    run(tmp_path, HistoryCsv(path), epochs=3)
    before = read_table(path)
    shutil.rmtree(tmp_path / "checkpoints")
    run(tmp_path, HistoryCsv(path), epochs=2)
    assert read_table(path) == before[:2]


def test_a_file_that_is_no_history_is_left_alone(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text("name,score\ncat,0.1\n")
    with pytest.raises(DataError, match="history.csv has rows without an epoch"):
        run(tmp_path, HistoryCsv(path))
    assert path.read_text() == "name,score\ncat,0.1\n"


def read_events(folder):
    events = {}
    for path in sorted(folder.glob("events*")):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                number = float(tf.make_ndarray(value.tensor))
                events.setdefault(value.tag, {})[event.step] = number
    return events


def test_tensorboard_has_every_term_and_goes_on_after_a_resumption(tmp_path):
    run(tmp_path, TensorBoardScalars(tmp_path / "tb", every=3), epochs=2)
    history = run(tmp_path, TensorBoardScalars(tmp_path / "tb", every=3), epochs=3)
    events = read_events(tmp_path / "tb")
    assert set(events["step/stage1_cls"]) == {3, 6, 9, 12}
    assert set(events) >= {"step/cam_cls", "step/total_loss", "step/gradient_norm"}
    assert set(events["step/input_seconds"]) == {3, 6, 9, 12}
    for row in history:
        wanted = pytest.approx(row["cam_cls"])
        assert events["epoch/cam_cls"][row["epoch"]] == wanted


def test_timings_say_where_the_time_went(tmp_path, monkeypatch):
    """Steps of 2 s after waits of 0.5 s, an evaluation of 10 s, 1 s for all else."""
    now = 100.0
    monkeypatch.setattr("time.perf_counter", lambda: now)
    timings = TimingsCsv(tmp_path / "timings.csv")
    for epoch in range(2):
        timings.on_epoch_begin(epoch)
        for index in range(3):
            now += 0.5
            timings.on_train_batch_begin(index, {"input_seconds": 0.5})
            now += 7.0 if (epoch, index) == (0, 0) else 2.0
            timings.on_train_batch_end(index, LOGS)
        now += 1.0
        timings.on_test_begin()
        now += 10.0
        timings.on_test_end()
        timings.on_epoch_end(epoch, LOGS)
    names = "epoch steps input_seconds step_seconds first_step_seconds "
    names += "evaluation_seconds other_seconds"
    rows = [
        dict(zip(names.split(), values, strict=True))
        for values in (
            ("1", "3", "1.5", "11.0", "7.0", "10.0", "1.0"),
            ("2", "3", "1.5", "6.0", "2.0", "10.0", "1.0"),
        )
    ]
    assert read_table(tmp_path / "timings.csv") == rows


def test_a_run_times_its_steps_and_waits(tmp_path):
    run(tmp_path, TimingsCsv(tmp_path / "timings.csv"), epochs=2)
    for row in read_table(tmp_path / "timings.csv"):
        assert 0 < float(row["input_seconds"]) < 60
        assert float(row["step_seconds"]) >= float(row["first_step_seconds"]) > 0
