"""Every command of the README and the docs, in short form: on tiny rendered data.

Each is parsed with the real flags, and its config is read with its own lines. Those
that need no download and no full-size training are run as they stand, in a folder that
has what they name.
"""

import json
import pathlib
import re
import shlex
import shutil

import gin
import pytest
from tiny_run import ROOT

from ehsod_tf import cli
from ehsod_tf.api import load_experiment
from ehsod_tf.cli.main import GROUPS

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
VERBS = {name: verb for group in GROUPS.values() for name, verb in group.items()}
# The folders of docs/your_data.md that hold what labelling tools export.
EXPORTED = {
    "yolo": "yolo_data",
    "roboflow": "roboflow_export",
    "voc_xml": "labelimg",
    "cvat": "cvat_export",
    "label_studio": "label_studio",
    "labelme": "labelme",
}
SCRIPTS = {"train.py": "train", "evaluate.py": "evaluate"}


def list_commands():
    """(page, words) of every command of ours, its continued lines joined."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
        for line in list_code_lines(text):
            if not re.match(r"(ehsod|python \S+\.py) ", line) or "…" in line:
                continue
            words = shlex.split(line)
            if words[0] == "ehsod":
                yield pathlib.Path(page).name, words[1:]
            elif words[1] in SCRIPTS:
                yield pathlib.Path(page).name, [SCRIPTS[words[1]], *words[2:]]


def list_code_lines(text):
    """Lines of fenced and of indented blocks."""
    is_fenced = False
    for line in text.splitlines():
        if line.startswith("```"):
            is_fenced = not is_fenced
        elif is_fenced or line.startswith("    "):
            yield line.strip()


COMMANDS = list(list_commands())
IDS = [f"{page}: {' '.join(words)[:60]}" for page, words in COMMANDS]


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, scenes, trained):
    """A folder that has what the commands name, and the README's own words for it."""
    folder = tmp_path_factory.mktemp("work")
    mine = folder / "datasets" / "mine"
    mine.mkdir(parents=True)
    shutil.copytree(scenes, folder / "datasets" / "quickstart")
    for images in (mine / "images", folder / "images"):
        shutil.copytree(scenes / "train", images)
        for path in (scenes / "val").iterdir():
            shutil.copy(path, images / f"val_{path.name}")
    shutil.copytree(trained[0], folder / "runs" / "quickstart")
    content = json.loads((scenes / "annotations/instances_train.json").read_text())
    names = {row["id"]: row["name"] for row in content["categories"]}
    strong, weak = content["images"][:6], content["images"][6:]
    lines = ["file_name,labels"]
    for image in weak:
        shown = {
            names[row["category_id"]]
            for row in content["annotations"]
            if row["image_id"] == image["id"]
        }
        lines.append(f"{image['file_name']},{';'.join(sorted(shown))}")
    ids = {image["id"] for image in strong}
    boxes = content | {
        "images": strong,
        "annotations": [r for r in content["annotations"] if r["image_id"] in ids],
    }
    val = json.loads((scenes / "annotations/instances_val.json").read_text())
    for image in val["images"]:
        image["file_name"] = f"val_{image['file_name']}"
    for place in (mine, folder):
        (place / "labels.csv").write_text("\n".join(lines) + "\n")
        (place / "boxes.json").write_text(json.dumps(boxes))
        (place / "val.json").write_text(json.dumps(val))
    write_other_forms(folder, scenes / "train", boxes)
    for form, place in EXPORTED.items():
        given = ["--coco", str(folder / "boxes.json"), "--images", str(mine / "images")]
        output = ["--to", form, "--output", str(folder / place)]
        cli.main(["convert", *given, *output])
    reviewed = [image["file_name"] for image in strong[:3]]
    (folder / "reviewed.txt").write_text("\n".join(reviewed) + "\n")
    shutil.copytree(ROOT / "configs", folder / "configs")
    return folder


def write_other_forms(folder, images, content):
    """The boxes as a VOC devkit, and labels as one folder for each class."""
    names = {row["id"]: row["name"] for row in content["categories"]}
    for place in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / "devkit" / place).mkdir(parents=True)
    stems = []
    for image in content["images"]:
        stem, objects = pathlib.Path(image["file_name"]).stem, []
        for row in content["annotations"]:
            if row["image_id"] == image["id"]:
                name, (x, y, width, height) = names[row["category_id"]], row["bbox"]
                objects.append(
                    f"<object><name>{name}</name><difficult>0</difficult><bndbox>"
                    f"<xmin>{int(x) + 1}</xmin><ymin>{int(y) + 1}</ymin>"
                    f"<xmax>{int(x + width)}</xmax><ymax>{int(y + height)}</ymax>"
                    "</bndbox></object>"
                )
                (folder / "pictures" / name).mkdir(parents=True, exist_ok=True)
                shutil.copy(images / image["file_name"], folder / "pictures" / name)
        size = f"<width>{image['width']}</width><height>{image['height']}</height>"
        (folder / "devkit" / "Annotations" / f"{stem}.xml").write_text(
            f"<annotation><size>{size}<depth>3</depth></size>{''.join(objects)}"
            "</annotation>"
        )
        shutil.copy(images / image["file_name"], folder / "devkit" / "JPEGImages")
        stems.append(stem)
    (folder / "devkit/ImageSets/Main/train.txt").write_text("\n".join(stems) + "\n")


def test_the_readme_has_the_whole_way():
    verbs = {words[0] for page, words in COMMANDS if page == "README.md"}
    assert {"train", "predict", "inspect", "evaluate"} <= verbs
    assert len(COMMANDS) > 15


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=IDS)
def test_the_command_is_understood(page, words, monkeypatch):
    """Its flags are known, its config is there, and its lines set something."""
    monkeypatch.chdir(ROOT)
    values = parse(words)
    config = values.get("config")
    if config and words[0] in ("train", "inspect", "split", "convert"):
        load_experiment(config, values["gin_bindings"], values["data_dir"])


RUN = [
    words
    for _, words in COMMANDS
    if words[0] in ("inspect", "split", "convert", "evaluate", "predict", "export")
    and "coco_50pct" not in " ".join(words)
]


@pytest.mark.parametrize("words", RUN, ids=[" ".join(words)[:60] for words in RUN])
def test_the_command_runs(words, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    cli.main(words)
    output = parse(words).get("output") or parse(words).get("export")
    assert output is None or (workplace / output).exists()


def parse(words):
    parser = cli.make_parser(words[0])
    return vars(parser.parse_args(words[1:]))
