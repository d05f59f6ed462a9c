"""`ehsod inspect FOLDER` and `ehsod train FOLDER`: a config is written and taken."""

import json
import shutil

import gin
import numpy as np
import pytest
from half_annotated import write_half_annotated
from supervision import mark_boxed
from tiny_run import TINY_RUN
from user_errors import fail

import ehsod_tf
from ehsod_tf import cli, data
from ehsod_tf.config import load_config
from ehsod_tf.data.columns import assemble_image_set
from ehsod_tf.data.readers import coco
from ehsod_tf.errors import ConfigError
from ehsod_tf.runs.recipe import choose_recipe
from ehsod_tf.structures import UNKNOWN

NUM_BOXED = 6
SMALL = [
    "include 'models/scratch.gin'",
    *(line for line in TINY_RUN if line[:6] not in ("STRONG", "EPOCHS")),
    "Experiment.warmup_steps = 1",
    "EPOCHS = 1",
]


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


@pytest.fixture
def mine(scenes, tmp_path):
    """Boxes of six rendered scenes, labels of six others, no validation set."""
    folder = tmp_path / "mine"
    shutil.copytree(scenes / "train", folder / "images")
    content = json.loads((scenes / "annotations/instances_train.json").read_text())
    write_half_annotated(content, folder, NUM_BOXED)
    (folder / ".DS_Store").write_text("")
    return folder


def test_inspect_says_what_it_recognised_and_writes_it_down(mine, tmp_path, capsys):
    config = tmp_path / "mine.gin"
    page = tmp_path / "page.html"
    command = ["inspect", str(mine), f"--write_config={config}", f"--output={page}"]
    cli.main(command)
    printed = capsys.readouterr().out
    assert "boxes.json: COCO instances, 6 classes" in printed
    assert "passed over: hidden, or the system's own ('.DS_Store')" in printed
    assert "validation: 20 percent of the boxed images are held out" in printed
    assert "11 images: 5 strong (boxes), 6 weak" in printed
    experiment = load_config(str(config))
    training = experiment.read_training_set(findings=data.Findings())
    validation = experiment.read_evaluation_set(findings=data.Findings())
    assert len(training.paths) == 11 and len(validation.paths) == 1
    # The config is kept as it is: the folder gives the same one again.
    cli.main(command)
    config.write_text(config.read_text() + "\nExperiment.seed = 1\n")
    assert "differs from what the folder gives now" in fail(capsys, *command)


def test_inspect_looks_at_the_validation_set_too(mine, tmp_path, capsys):
    """As training would: what is wrong in it, and what both sets hold."""
    content = json.loads((mine / "boxes.json").read_text())
    shared, broken = content["images"][:2]
    (mine / "val").mkdir()
    shutil.copy(mine / "images" / shared["file_name"], mine / "val")
    (mine / "val" / broken["file_name"]).write_bytes(b"no image")
    rows = [r for r in content["annotations"] if r["image_id"] == shared["id"]]
    rows.append(rows[0] | {"id": 9999, "image_id": broken["id"]})
    val = content | {"images": [shared, broken], "annotations": rows}
    (mine / "val/boxes.json").write_text(json.dumps(val))
    (mine / "images/further.png").write_bytes(b"")
    with pytest.raises(SystemExit) as caught:
        cli.main(["inspect", str(mine), f"--output={tmp_path / 'page.html'}"])
    assert caught.value.code == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert f"validation set: 1 image with {len(rows) - 1} boxes" in printed
    assert "11 images: 5 strong (boxes), 6 weak" in printed
    assert "the evaluation set holds the same image" in printed
    assert f"val/{broken['file_name']}" in printed
    assert "passed over: 1 of the images, as these sources say nothing" in printed
    assert "(first: 'images/further.png')" in printed


def test_labels_alone_can_be_looked_at(mine, tmp_path, capsys):
    page = f"--output={tmp_path / 'page.html'}"
    cli.main(["inspect", str(mine), "--use=labels.csv", page])
    printed = capsys.readouterr().out
    assert "no validation set: too few images with all their boxes, 0 of 6" in printed
    assert "6 images: 0 strong (boxes), 6 weak" in printed


def test_a_folder_of_which_nothing_can_be_used(mine, capsys):
    content = json.loads((mine / "boxes.json").read_text())
    for row in content["annotations"]:
        row["bbox"] = [0, 0, -1, -1]
    (mine / "boxes.json").write_text(json.dumps(content))
    message = fail(capsys, "inspect", mine, "--use=boxes.json")
    assert "has a negative width or height" in message
    content["annotations"] = []
    (mine / "boxes.json").write_text(json.dumps(content))
    message = fail(capsys, "inspect", mine, "--use=boxes.json")
    assert "no image in it is annotated" in message


def test_flags_answer_for_a_folder(mine, tmp_path, capsys):
    config = tmp_path / "mine.gin"
    cli.main(
        ["inspect", str(mine), f"--write_config={config}"]
        + ["--hold_out=50", "--unannotated=empty", "--classes=disc,square,ring"]
        + ["--use=boxes.json", f"--output={tmp_path / 'page.html'}"]
    )
    training = load_config(str(config)).read_training_set(findings=data.Findings())
    assert training.class_names == ("disc", "square", "ring")
    assert training.has_boxes.all() and len(training.paths) == 3
    assert "labels.csv" not in config.read_text()


def test_classes_split_between_two_sources(scenes, tmp_path, capsys):
    """What a source does not box is unknown there, not absent."""
    content = json.loads((scenes / "annotations/instances_train.json").read_text())
    folder = tmp_path / "two"
    halves = [content["images"][:6], content["images"][6:]]
    for name, images, place in zip("ab", halves, (slice(3), slice(3, 6)), strict=True):
        categories = content["categories"][place]
        ids = {row["id"] for row in images}
        numbers = {row["id"] for row in categories}
        (folder / name).mkdir(parents=True)
        for image in images:
            shutil.copy(scenes / "train" / image["file_name"], folder / name)
        boxes = {
            "images": images,
            "categories": categories,
            "annotations": [
                row
                for row in content["annotations"]
                if row["image_id"] in ids and row["category_id"] in numbers
            ],
        }
        (folder / name / "boxes.json").write_text(json.dumps(boxes))
    config = tmp_path / "two.gin"
    page = f"--output={tmp_path / 'page.html'}"
    cli.main(["inspect", str(folder), f"--write_config={config}", page])
    printed = capsys.readouterr().out
    assert "each has boxes of its own alone" in printed
    assert "images by what is known of a class" in printed
    images = load_config(str(config)).read_training_set(findings=data.Findings())
    assert len(images.class_names) == 6 and not images.is_strong.any()
    of_first = [path.rpartition("/")[0].endswith("a") for path in images.paths]
    unknown = images.image_labels == UNKNOWN
    assert unknown[of_first, 3:].all() and not unknown[of_first, :3].any()


def test_a_folder_is_converted_and_split(mine, tmp_path, capsys):
    output = tmp_path / "all.json"
    cli.main(["convert", str(mine), "--to=coco", f"--output={output}"])
    assert "all.json: 11 images" in capsys.readouterr().out
    cli.main(["split", str(mine), "--percent=40", f"--output={tmp_path / 's.json'}"])
    assert "2 of 5" in capsys.readouterr().out


def test_one_way_to_name_the_data(mine, capsys):
    message = fail(capsys, "train")
    assert "either a folder or --config" in message
    message = fail(capsys, "train", mine, "--config=quickstart")
    assert "either a folder or --config" in message
    message = fail(capsys, "inspect", mine, "--config=quickstart")
    assert "name the data set by a folder, by --config" in message
    assert "no such folder" in fail(capsys, "train", mine / "nothing")
    for answers in ({"backbone": "resnet50"}, {"choices": data.FolderChoices()}):
        with pytest.raises(ConfigError, match="would do nothing: quickstart is no fol"):
            ehsod_tf.train("quickstart", **answers)


FOLDER_FLAGS = [
    *("--use=x", "--validation=y", "--hold_out=20", "--machine_boxes=z"),
    *("--backbone=efficientnet_lite", "--write_config=w.gin", "--images=i"),
    *("--classes=a,b", "--unannotated=empty", "--unlisted=unknown"),
    *("--occluded=ignored", "--boxed=in part", "--class_attribute=c"),
    "--label_attribute=l",
]


@pytest.mark.parametrize("verb", ["train", "inspect", "split", "convert"])
def test_flags_of_a_folder_are_refused_with_a_config(verb, tmp_path, capsys):
    required = {"split": ["--percent=5"], "convert": ["--to=coco", "--output=o"]}
    words = [verb, *required.get(verb, []), "--config=quickstart", *FOLDER_FLAGS]
    message = fail(capsys, *words)
    flags = sorted(flag.partition("=")[0] for flag in FOLDER_FLAGS)
    named, _, reason = message.removeprefix("error: ").partition(" would do nothing ")
    assert sorted(named.split(", ")) == flags
    assert reason.startswith("with --config; say it in the config")


def test_flags_of_files_and_of_configs_are_refused_with_others(mine, capsys):
    message = fail(capsys, "inspect", mine, "--list=train")
    assert "--list would do nothing with a folder" in message
    config = ["--config=quickstart", "--list=train"]
    assert "--list would do nothing with --config" in fail(capsys, "inspect", *config)
    coco = [f"--coco={mine / 'boxes.json'}", f"--images={mine / 'images'}"]
    for flag in (*FOLDER_FLAGS[:6], "--gin_bindings=EPOCHS = 2", "--data_dir=d"):
        message = fail(capsys, "inspect", *coco, flag)
        assert f"{flag.partition('=')[0]} would do nothing with --coco" in message
    # What one form takes, another need not.
    for flag in ("--list=train", "--unlisted=unknown", "--occluded=ignored"):
        message = fail(capsys, "inspect", *coco, flag)
        assert f"{flag.partition('=')[0]} would do nothing with --coco" in message


def test_a_folder_is_trained_by_the_config_that_it_gives(
    mine, tmp_path, capsys, monkeypatch
):
    run = tmp_path / "runs/first"
    opened = []
    load = coco.load_coco_json
    monkeypatch.setattr(
        coco, "load_coco_json", lambda *args: opened.append(args) or load(*args)
    )
    bindings = [f"--gin_bindings={line}" for line in SMALL]
    cli.main(["train", str(mine), f"--model_dir={run}", *bindings])
    printed = capsys.readouterr().out
    assert "labels.csv: table of image labels" in printed
    # For the recipe, for training and for validation.
    assert len(opened) == 1
    config = run / "folder.gin"
    assert f"{config}: the config that does this" in printed
    # The lines of the command line are in the config, which alone does the same.
    alone = load_config(str(config))
    settings = alone.list_fixed_settings()
    text = (run / "operative_config.gin").read_text()
    for name in ("steps_per_epoch", "longer_side", "shorter_side", "warmup_steps"):
        assert f"Experiment.{name} = {settings[name]!r}\n" in text
    split = json.loads((run / "split.json").read_text())
    images = alone.read_training_set(findings=data.Findings())
    assert split["strong_image_ids"] == sorted(images.image_ids[images.has_boxes])
    figures = json.loads((run / "metrics.json").read_text())
    assert 0.0 <= figures["AP"] <= 1.0
    with pytest.raises(ConfigError, match="differs from what the folder gives"):
        ehsod_tf.train(mine, model_dir=run, bindings=["EPOCHS = 3"])


def make_set(num_images, num_boxed, height, width):
    image_set = assemble_image_set(
        class_names=("bus",),
        category_ids=(1,),
        image_ids=range(num_images),
        image_names=[""] * num_images,
        paths=[""] * num_images,
        sizes=[(height, width)] * num_images,
        objects=[],
    )
    return mark_boxed(image_set, np.arange(num_images) < num_boxed)


@pytest.mark.parametrize(
    ("num_images", "steps_per_epoch"), [(3, 125), (2000, 250), (118_000, 3750)]
)
def test_steps_follow_the_number_of_images(num_images, steps_per_epoch):
    recipe = choose_recipe(make_set(num_images, 2, 375, 500), has_gpu=True)
    assert recipe.settings["Experiment.steps_per_epoch"] == steps_per_epoch
    assert recipe.macros["BATCH_SIZE"] == min(8, num_images)
    assert recipe.includes == ["models/resnet50.gin", "recipes/own_images.gin"]


@pytest.mark.parametrize(
    ("size", "has_gpu", "sides"),
    [
        ((375, 500), True, (608, 832)),
        ((480, 640), True, (768, 1024)),
        ((3000, 4000), True, (800, 1088)),
        ((128, 128), True, (192, 192)),
        ((480, 640), False, (416, 576)),
        ((128, 200), False, (128, 224)),
        ((8, 8), False, (64, 64)),
    ],
)
def test_sides_follow_the_sizes_of_the_images(size, has_gpu, sides):
    recipe = choose_recipe(make_set(9, 9, *size), has_gpu=has_gpu)
    found = [recipe.settings[f"Experiment.{side}er_side"] for side in ("short", "long")]
    assert tuple(found) == sides
    assert recipe.settings["CamRpn.border_anchors"] == (sides[1] < 800)
    assert recipe.settings["Experiment.strong_fraction"] is None


@pytest.mark.parametrize(
    ("num_images", "num_boxed", "fraction"),
    [(2000, 300, "left"), (2000, 200, None), (600, 60, None), (600, 600, None)],
)
def test_few_boxed_images_are_not_shown_too_often(num_images, num_boxed, fraction):
    settings = choose_recipe(make_set(num_images, num_boxed, 99, 99), has_gpu=True)
    settings = settings.settings
    # Where it is left to the recipe, half of each batch is boxed.
    assert settings.get("Experiment.strong_fraction", "left") == fraction


def test_an_unknown_backbone_is_named():
    with pytest.raises(ConfigError, match="--backbone is one of resnet50, effic"):
        choose_recipe(make_set(9, 9, 64, 64), has_gpu=True, backbone="vgg")
