"""Every command and piece of Python of the README and the docs, in short form.

Each command of ours is parsed with the real flags, and its config is read with its own
lines. Those that need no download and no full-size training are run as they stand, in a
folder that has what they name. Python that loads a detector is run there too; all names
in Python code are looked up. Scripts of benchmarks parse their flags.
"""

import ast
import importlib
import json
import pathlib
import re
import shlex
import shutil
import sys
import textwrap
from inspect import ismodule

import gin
import pytest
from half_annotated import write_half_annotated
from script_runs import run_up_to_work
from tiny_run import ROOT

from ehsod_tf import cli
from ehsod_tf.api import load_experiment
from ehsod_tf.cli.main import GROUPS

PAGES = ["README.md", "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md"))]
VERBS = {name: verb for group in GROUPS.values() for name, verb in group.items()}
# The folders of docs/your_data.md, by the forms that `convert` writes.
EXPORTED = {
    "yolo": "yolo_data",
    "roboflow": "roboflow_export",
    "voc_xml": "labelimg",
    "cvat": "cvat_export",
    "label_studio": "label_studio",
    "labelme": "labelme",
    "tfrecord": "packed",
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


def list_scripts():
    """(page, words) of every command that runs one of our other scripts."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
        # Blocks, and inline code, which may run over the end of a line.
        inline = [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text)]
        for line in [*list_code_lines(text), *inline]:
            if re.match(r"python \S+\.py( |$)", line) and "…" not in line:
                words = shlex.split(line)[1:]
                if words[0] not in SCRIPTS:
                    yield pathlib.Path(page).name, words


def list_snippets():
    """(page, Python) of fenced and of indented blocks that begin with an import."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        blocks = re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        blocks += re.findall(r"(?:^(?: {4}.*)?\n)+", text, re.MULTILINE)
        for block in map(textwrap.dedent, blocks):
            block = block.strip("\n")
            if re.match(r"(import|from) \w", block):
                yield pathlib.Path(page).name, block


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
SCRIPT_RUNS = list(list_scripts())
SNIPPETS = list(list_snippets())


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
    val = json.loads((scenes / "annotations/instances_val.json").read_text())
    for image in val["images"]:
        image["file_name"] = f"val_{image['file_name']}"
    for place in (mine, folder):
        boxes = write_half_annotated(content, place)
        (place / "val.json").write_text(json.dumps(val))
    write_other_forms(folder, scenes / "train", boxes)
    write_box_lists(folder, boxes)
    for form, place in EXPORTED.items():
        given = ["--coco", str(folder / "boxes.json"), "--images", str(mine / "images")]
        output = ["--to", form, "--output", str(folder / place)]
        cli.main(["convert", *given, *output])
    reviewed = [image["file_name"] for image in boxes["images"][:3]]
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


def write_box_lists(folder, content):
    """The boxes as a table, and as a file of VGG Image Annotator."""
    names = {row["id"]: row["name"] for row in content["categories"]}
    lines = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
    records = {}
    for image in content["images"]:
        file_name, regions = image["file_name"], []
        for row in content["annotations"]:
            if row["image_id"] == image["id"]:
                name, (x, y, width, height) = names[row["category_id"]], row["bbox"]
                size = f"{image['width']},{image['height']}"
                corners = f"{x},{y},{x + width},{y + height}"
                lines.append(f"{file_name},{size},{name},{corners}")
                shape = {"name": "rect", "x": x, "y": y}
                shape |= {"width": width, "height": height}
                region = {"shape_attributes": shape}
                regions.append(region | {"region_attributes": {"kind": name}})
        records[file_name] = {"filename": file_name, "size": 1, "regions": regions}
    (folder / "boxes.csv").write_text("\n".join(lines))
    (folder / "via_project.json").write_text(json.dumps(records))


def test_the_readme_has_the_whole_way():
    verbs = {words[0] for page, words in COMMANDS if page == "README.md"}
    assert {"train", "predict", "inspect", "evaluate"} <= verbs
    assert len(COMMANDS) > 15
    assert len(SCRIPT_RUNS) > 8
    assert {"README.md", "serving.md"} <= {page for page, _ in SNIPPETS}


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
    if "onnx" in words:
        pytest.importorskip("tf2onnx")
    monkeypatch.chdir(workplace)
    cli.main(words)
    output = parse(words).get("output") or parse(words).get("export")
    assert output is None or (workplace / output).exists()


def parse(words):
    parser = cli.make_parser(words[0])
    return vars(parser.parse_args(words[1:]))


@pytest.mark.parametrize(
    ("page", "words"),
    SCRIPT_RUNS,
    ids=[f"{page}: {' '.join(words)[:60]}" for page, words in SCRIPT_RUNS],
)
def test_the_script_takes_its_flags(page, words, monkeypatch):
    script = ROOT / words[0]
    if ".parse_args(" not in script.read_text():
        compile(script.read_text(), script, "exec")
        assert len(words) == 1, "a script without flags"
        return
    run_up_to_work(script, monkeypatch, flags=words[1:])


@pytest.mark.parametrize(
    ("page", "code"), SNIPPETS, ids=[f"{p}: {c.splitlines()[-1]}" for p, c in SNIPPETS]
)
def test_the_names_of_python_code_exist(page, code):
    modules = {}
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                modules[alias.asname or name] = find_module(alias.name, name)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                owner = find_module(node.module, node.module)
                value = find_name(owner, alias.name) if owner else None
                modules[alias.asname or alias.name] = value
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            resolve(node, modules)


def find_module(name, returned):
    """The module `returned`, after `name` is imported; None where it is not installed.

    Ours and those that we need must be there.
    """
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        assert name.partition(".")[0] not in ("ehsod_tf", "keras", "tensorflow")
        return None
    return sys.modules[returned]


def find_name(owner, name):
    if hasattr(owner, name):
        return getattr(owner, name)
    return importlib.import_module(f"{owner.__name__}.{name}")


def resolve(node, modules):
    """The value of a dotted name that begins with a module; None of any other."""
    if isinstance(node, ast.Name):
        return modules.get(node.id)
    if not isinstance(node, ast.Attribute):
        return None
    owner = resolve(node.value, modules)
    is_known = owner is not None and (isinstance(owner, type) or ismodule(owner))
    return getattr(owner, node.attr) if is_known else None


# Clients of a server need one; to build and fit is in `test_front_door`.
RUNNABLE = [
    (page, code)
    for page, code in SNIPPETS
    if re.search(r"ehsod_tf\.load\(|saved_model\.load\(", code)
    and ".train(" not in code
]


@pytest.mark.parametrize(("page", "code"), RUNNABLE, ids=[page for page, _ in RUNNABLE])
def test_python_that_loads_a_detector_runs(page, code, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    code = code.replace("image.jpg", "datasets/quickstart/val/000001.png")
    exec(compile(code, page, "exec"), {})
