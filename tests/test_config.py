"""Every config parses, builds its detector, and refuses what makes no sense."""

import pathlib

import gin
import pytest

from ehsod_tf.config import load_config
from ehsod_tf.errors import ConfigError

CONFIGS = pathlib.Path(__file__).parent.parent / "configs"
LEAVES = sorted(path.name for path in CONFIGS.glob("*.gin") if path.name != "base.gin")


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


@pytest.fixture
def backbone_file(tmp_path):
    import keras

    inputs = keras.Input((None, None, 3))
    x = inputs
    x = keras.layers.Conv2D(4, 3, strides=2, padding="same")(x)
    for level in (2, 3, 4, 5):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"c{level}")(x)
    path = tmp_path / "backbone.keras"
    keras.Model(inputs, x).save(path)
    return path


@pytest.mark.parametrize("name", LEAVES)
def test_config_builds_the_detector_that_it_describes(name, backbone_file):
    bindings = []
    if "resnet" in (CONFIGS / name).read_text():
        bindings.append("build_resnet.weights = None")
    if "BACKBONE_FILE" in (CONFIGS / name).read_text():
        bindings.append(f"BACKBONE_FILE = {str(backbone_file)!r}")
    experiment = load_config(str(CONFIGS / name), bindings)
    model = experiment.build_model(5)
    assert model.num_classes == 5
    assert len(model.cascade.heads) == 3
    assert model.count_params() > 0


@pytest.mark.parametrize("name", LEAVES)
def test_leaf_header_says_what_it_is(name):
    first = (CONFIGS / name).read_text().splitlines()[0]
    assert first.startswith("# ")


def test_coco_config_has_the_settings_of_the_paper():
    experiment = load_config(str(CONFIGS / "coco_50pct.gin"))
    assert experiment.strong_percent == 50.0
    assert (experiment.shorter_side, experiment.longer_side) == (800, 1333)
    assert (experiment.batch_size, experiment.learning_rate) == (16, 0.01)
    assert tuple(experiment.decay_epochs) == (8, 11)


def test_bindings_win_over_the_file():
    experiment = load_config(str(CONFIGS / "quickstart.gin"), ["EPOCHS = 3"])
    assert experiment.epochs == 3


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("Experiment.epohcs = 3", "epohcs"),
        ("NoSuchThing.x = 3", "NoSuchThing"),
        ("EPOCHS = 'three'", "Experiment.epochs must be int, got 'three'"),
        ("LEARNING_RATE = True", "Experiment.learning_rate must be float, got True"),
        ("Experiment.decay_epochs = (1, 'x')", "Experiment.decay_epochs"),
        ("Experiment.metrics = 'mAP'", "Experiment.metrics is one of coco, voc, both"),
        ("Experiment.longer_side = 10", "longer_side"),
        ("BATCH_SIZE = 0", "batch_size must be at least 1"),
        ("EPOCHS = = 2", "EPOCHS"),
    ],
)
def test_bad_binding_is_named(binding, message):
    with pytest.raises(ConfigError, match="(?s).*") as caught:
        load_config(str(CONFIGS / "quickstart.gin"), [binding])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("binding", "message"),
    [
        ("Cascade.num_stages = 5", "1 to 4"),
        ("HybridCriterion.cam_activation = 'tanh'", "softmax, sigmoid"),
        ("ProposalSelector.cam_objectness = 'mean'", "softmax_max"),
        ("DetectionDecoder.score_fusion = 'max'", "score_fusion is one of none, mid"),
        ("Cascade.num_rois = 5000", "num_rois"),
        ("Cascade.units = 'many'", "Cascade.units must be int"),
    ],
)
def test_bad_part_is_named_when_the_model_is_built(binding, message):
    experiment = load_config(str(CONFIGS / "quickstart.gin"), [binding])
    with pytest.raises(ConfigError) as caught:
        experiment.build_model(3)
    assert message in str(caught.value)


def test_missing_config_is_named():
    with pytest.raises(ConfigError, match="nowhere.gin: no such config file"):
        load_config("nowhere.gin")
