"""Settings that would do nothing, or are of a wrong kind: refused, and the right named.

`tests/test_config.py` shows that every config of ours gets through.
"""

import inspect
import pathlib
import re

import gin
import pytest

from ehsod_tf.config import factories, load_config
from ehsod_tf.errors import ConfigError

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"
QUICKSTART = str(CONFIGS / "quickstart.gin")
HALF = str(CONFIGS / "half_annotated.gin")
VOC = str(CONFIGS / "voc_small_cpu.gin")


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


def refuse(path, *bindings):
    """Returns the one line with which a config is refused."""
    with pytest.raises(ConfigError) as caught:
        load_config(str(path), bindings)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("EPOCH = 3", "nothing reads EPOCH; did you mean EPOCHS?"),
        ("epochs = 3", "nothing reads epochs; did you mean EPOCHS?"),
        ("LEARNINGRATE = 1.0", "nothing reads LEARNINGRATE; did you mean LEARNING_"),
        ("BATCHSIZE = 2", "nothing reads BATCHSIZE; did you mean BATCH_SIZE?"),
        ("train/EPOCHS = 2", "nothing reads train/EPOCHS; did you mean EPOCHS?"),
        ("num_stages = 2", "nothing reads num_stages; did you mean Cascade.num_s"),
        ("Zebra = 2", "nothing reads Zebra"),
        ("Cascade.num_stage = 2", "Cascade has no setting num_stage; did you mean num"),
        ("Experiment.num_stages = 2", "did you mean Cascade.num_stages?"),
        ("Cascade.name = 'x'", "Cascade has no setting name"),
        ("Cascad.units = 2", "there is no Cascad to set; did you mean Cascade?"),
        ("Experiment.build_optimizer = @Adam", "there is no Adam"),
        ("Experiment.epochs = %EPOCS", "nothing sets EPOCS; did you mean EPOCHS?"),
        ("valid/read_synthetic_scenes.size = 96", "scope valid; did you mean val?"),
        ("Experiment/Cascade.units = 3", "nothing uses Cascade in a scope Experiment"),
        ("CoupledSGD.momentum = 0.5", "this configuration does not use CoupledSGD"),
        ("ClippedAdamW.learning_rate = 0.1", "gives it by Experiment.learning_rate"),
        ("Cascade.num_classes = 3", "Cascade.num_classes cannot be set"),
        ("train/read_synthetic_scenes.findings = 1", "the program gives it"),
    ],
)
def test_setting_that_would_do_nothing_is_refused(binding, message):
    line = refuse(QUICKSTART, binding)
    assert line.startswith(f"'{binding}': ")
    assert message in line


def test_scope_of_a_reader_is_one_of_those_that_the_config_enters():
    line = refuse(HALF, "valid/read_coco.unannotated = 'empty'")
    assert "nothing uses read_coco in a scope valid; did you mean val?" in line
    line = refuse(HALF, "evaluation/read_coco.unannotated = 'empty'")
    assert "in a scope evaluation; there is boxes, val" in line


def test_setting_that_another_one_shuts_out_is_refused():
    line = refuse(QUICKSTART, "Experiment.epochs = 3", "EPOCHS = 4")
    assert line == "'EPOCHS = 4': nothing reads EPOCHS; did you mean Experiment.epochs?"
    other = "Experiment.read_{}_set = @{}/read_coco"
    reader = [other.format("training", "train"), other.format("evaluation", "val")]
    assert "nothing reads CLASS_NAMES" in refuse(VOC, *reader, "CLASS_NAMES = ('a',)")


def test_files_may_hold_what_an_override_leaves_unused():
    """Here settings of VOC's reader and of the optimizer of `voc_small_cpu.gin`."""
    load_config(
        VOC,
        [
            "Experiment.build_optimizer = @CoupledSGD",
            "Experiment.read_training_set = @some/read_coco",
            "Experiment.read_evaluation_set = @read_coco",
            "some/read_coco.image_dir = 'images'",
            "OPTIMIZER_MOMENTUM = 0.5",
            "CoupledSGD.momentum = %OPTIMIZER_MOMENTUM",
        ],
    )


def test_every_fault_of_a_file_and_its_includes_is_named_with_its_line(tmp_path):
    (tmp_path / "part.gin").write_text("# a comment\nCascade.unit = 3\n")
    path = tmp_path / "mine.gin"
    path.write_text(
        f"include {QUICKSTART!r}\n\nEPOCH = 3\ninclude 'part.gin'\n"
        "tset/read_synthetic_scenes:\n    size = 64\n"
    )
    # The includes of an include are found from the folder of the config itself.
    for folder in ("base.gin", "data", "models"):
        (tmp_path / folder).symlink_to(CONFIGS / folder)
    assert refuse(path).split("; ") == [
        "mine.gin, line 3: nothing reads EPOCH",
        "did you mean EPOCHS?",
        "part.gin, line 2: Cascade has no setting unit",
        "did you mean units?",
        "mine.gin, line 6: nothing uses read_synthetic_scenes in a scope tset",
        "there is train, val",
    ]


def test_lines_that_a_later_include_sets_anew_are_refused(tmp_path):
    path = tmp_path / "mine.gin"
    path.write_text(f"EPOCHS = 3\nDATA_DIR = 'mine'\ninclude {QUICKSTART!r}\n")
    faults = refuse(path).split("; ")
    assert faults[0].startswith("mine.gin, line 1: would do nothing, as ")
    assert faults[0].endswith("which is included below it, sets the same")
    assert faults[1] == "move it below the include"
    assert faults[2].startswith("mine.gin, line 2: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"include 'mine.gin'", "mine.gin includes itself"),
        (b"include 'none.gin'", "cannot read none.gin, which mine.gin includes: No su"),
        (b"include '.'", "cannot read ., which mine.gin includes: Is a directory"),
        (b"\xff\xfe\x00", "mine.gin is not a text in UTF-8"),
        (b"EPOCHS = (1,", "EOF in multi-line statement"),
        (b"EPOCHS = 1 2", "Expected newline"),
        (b"import no_such_module", "No module named 'no_such_module'"),
        (b"", "missing"),
    ],
)
def test_config_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "mine.gin"
    path.write_bytes(content)
    assert message in refuse(path)


def test_folder_is_no_config(tmp_path):
    assert refuse(tmp_path) == "a folder, not a config file"


def list_settings(*kinds):
    """(target, parameter) of everything that can be set and is of one of the kinds."""
    return [
        (target, parameter.name)
        for target in factories.PARAMETERS
        for parameter in inspect.signature(
            gin.get_configurable(target)
        ).parameters.values()
        if parameter.annotation in kinds
        and parameter.name not in factories.list_given().get(target, ())
    ]


def test_every_setting_has_a_kind():
    """Otherwise its value would not be checked, and a wrong one end in a traceback."""
    without = list_settings(inspect.Parameter.empty)
    assert {name for _, name in without} <= {"kwargs"}


NUMBERS = list_settings(int, float)


@pytest.mark.parametrize(("target", "name"), NUMBERS)
@pytest.mark.parametrize("value", [None, "3", [3], True])
def test_number_must_be_one(target, name, value):
    make = gin.get_configurable(target)
    required = {
        parameter.name: next(
            sound
            for sound in ((), "x", 1, print)
            if factories.matches(sound, parameter.annotation)
        )
        for parameter in inspect.signature(make).parameters.values()
        if parameter.default is parameter.empty
        and parameter.kind != parameter.VAR_KEYWORD
    }
    with pytest.raises(ConfigError) as caught:
        make(**required | {name: value})
    assert re.match(rf"{target}.{name} must be (int|float), got ", str(caught.value))


def test_numbers_are_found():
    assert len(NUMBERS) > 30
    assert {("CoupledSGD", "clip_norm"), ("Experiment", "epochs")} <= set(NUMBERS)


@pytest.mark.parametrize("clip_norm", [0, -1.0, float("nan"), float("inf")])
def test_clip_norm_is_above_zero(clip_norm):
    with pytest.raises(ConfigError, match="clip_norm must be a number above 0, not"):
        gin.get_configurable("CoupledSGD")(clip_norm=clip_norm)
