"""`ehsod inspect`, `split` and `convert` as a user types them."""

import json
import os
import re
import shutil

import gin
import numpy as np
import pytest
from half_annotated import write_half_annotated
from PIL import Image
from user_errors import fail

from ehsod_tf import cli, data, training, visualization

NUM_IMAGES = 12


@pytest.fixture(autouse=True)
def _leave_no_bindings():
    yield
    gin.clear_config()


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "scenes"
    data.ensure_synthetic_scenes(
        folder, num_train=NUM_IMAGES, num_val=3, seed=0, size=64
    )
    return folder


@pytest.fixture
def scenes(rendered, tmp_path):
    """A copy to work on: boxes of the first half, a table of labels of the rest."""
    folder = tmp_path / "scenes"
    shutil.copytree(rendered, folder)
    path = folder / "annotations/instances_train.json"
    content = json.loads(path.read_text())
    write_half_annotated(content, folder, NUM_IMAGES // 2)
    return folder


def mixture(scenes):
    return [
        f"--coco={scenes / 'boxes.json'}",
        f"--csv={scenes / 'labels.csv'}",
        f"--images={scenes / 'train'}",
    ]


def test_inspect_tells_the_terminal_and_a_page(scenes, tmp_path, capsys):
    page = tmp_path / "page.html"
    cli.main(["inspect", *mixture(scenes), f"--output={page}"])
    printed = capsys.readouterr().out
    assert "12 images: 6 strong (boxes), 6 weak" in printed
    assert "no problem was found" in printed
    assert f"{page}: the same with pictures" in printed
    html = page.read_text()
    assert "Inspection of boxes.json, labels.csv" in html
    assert html.count("data:image/jpeg") == NUM_IMAGES


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_full_disk_is_one_line(scenes, capsys):
    message = fail(capsys, "inspect", *mixture(scenes), "--output=/dev/full")
    assert message == (
        "error: no space left on device; free some space, then start again\n"
    )


def test_inspect_lists_every_problem_and_ends_with_status_1(scenes, tmp_path, capsys):
    (scenes / "train/000002.png").unlink()
    content = json.loads((scenes / "boxes.json").read_text())
    content["annotations"][0]["bbox"] = [0, 0, -1, 5]
    (scenes / "boxes.json").write_text(json.dumps(content))
    page = tmp_path / "page.html"
    with pytest.raises(SystemExit) as caught:
        cli.main(["inspect", *mixture(scenes), f"--output={page}"])
    assert caught.value.code == 1
    printed = capsys.readouterr().out
    assert "000002.png" in printed and "bbox" in printed
    assert "10 images" in printed
    assert "000002.png" in page.read_text()


def test_inspect_takes_a_config_and_a_split(scenes, tmp_path, capsys, monkeypatch):
    split = tmp_path / "split.json"
    source = [
        "--config=configs/quickstart.gin",
        f"--data_dir={scenes}",
        "--gin_bindings=read_synthetic_scenes.num_train = 12",
        "--gin_bindings=read_synthetic_scenes.num_val = 3",
        "--gin_bindings=read_synthetic_scenes.size = 64",
    ]
    (scenes / "boxes.json").unlink()
    (scenes / "labels.csv").unlink()
    cli.main(["split", *source, "--percent=25", "--seed=3", f"--output={split}"])
    assert "3 of 12" in capsys.readouterr().out
    page = tmp_path / "page.html"
    write, shown = visualization.write_inspection, {}

    def watch(path, **options):
        shown.update(options)
        write(path, **options)

    monkeypatch.setattr(visualization, "write_inspection", watch)
    source.append("--gin_bindings=Experiment.png_bits = 12")
    cli.main(["inspect", *source, f"--split_file={split}", f"--output={page}"])
    assert "3 strong (boxes), 9 weak" in capsys.readouterr().out
    assert page.exists() and shown["png_bits"] == 12
    cli.main(["inspect", *source, "--subset=evaluation", f"--output={page}"])
    assert "3 images: 3 strong (boxes), 0 weak" in capsys.readouterr().out
    assert "Inspection of quickstart.gin, evaluation set" in page.read_text()


def test_split_from_a_list_of_ids(scenes, tmp_path, capsys):
    ids, output = tmp_path / "ids.txt", tmp_path / "split.json"
    ids.write_text("# reviewed\n1\n000003.png\n")
    cli.main(["split", *mixture(scenes), f"--from-ids={ids}", f"--output={output}"])
    assert json.loads(output.read_text())["strong_image_ids"] == [1, 3]
    assert str(output) in capsys.readouterr().out


def test_split_needs_one_way_to_choose(scenes, capsys):
    assert "--percent or --from_ids" in fail(capsys, "split", *mixture(scenes))


def test_flags_that_would_do_nothing_are_refused(scenes, tmp_path, capsys):
    boxes = mixture(scenes)
    ids = ["--from_ids=ids.txt", "--seed=3", "--stratified"]
    message = fail(capsys, "split", *boxes, *ids)
    assert "--seed, --stratified would do nothing with --from_ids" in message
    output = f"--output={tmp_path / 'out'}"
    words = ["convert", *boxes, "--to=yolo", output, "--shards=4"]
    assert "--shards would do nothing with --to yolo" in fail(capsys, *words)
    tasks = ["--label_studio=tasks.json", "--images=i", "--to=predictions", output]
    for flags, names in (
        (["--split_file=s.json"], "--split_file"),
        (["--csv=labels.csv", "--classes=a"], "--csv, --classes"),
    ):
        message = fail(capsys, "convert", *tasks, *flags)
        assert f"{names} would do nothing with --to predictions" in message
    (tmp_path / "page.html").write_text("")
    words = ["report", tmp_path, f"--output={tmp_path / 'page.html'}"]
    assert "--output would do nothing with one run" in fail(capsys, *words)
    words = ["evaluate", f"--model_dir={tmp_path}", "--ops=native"]
    assert "--ops would do nothing without --export" in fail(capsys, *words)


def test_a_source_is_needed(capsys):
    assert "--config, or by one or more of" in fail(capsys, "inspect")
    assert "need --images" in fail(capsys, "inspect", "--coco=boxes.json")


@pytest.mark.parametrize("form", ["coco", "tfrecord"])
def test_converted_data_are_the_same(form, scenes, tmp_path, capsys):
    output = tmp_path / "converted"
    cli.main(["convert", *mixture(scenes), f"--to={form}", f"--output={output}"])
    assert f"{output}: 12 images" in capsys.readouterr().out
    if form == "coco":
        found = data.read_coco(output, scenes / "train")
    else:
        found = data.read_tfrecords(str(output / "*.tfrecord*"), tmp_path / "unpacked")
    boxes = data.read_coco(scenes / "boxes.json", scenes / "train")
    table = data.read_label_csv(
        scenes / "labels.csv", scenes / "train", class_names=boxes.class_names
    )
    wanted = data.merge_image_sets([boxes, table])
    assert found.class_names == wanted.class_names
    order = [found.image_names.index(name) for name in wanted.image_names]
    np.testing.assert_array_equal(found.image_labels[order], wanted.image_labels)
    np.testing.assert_array_equal(found.has_boxes[order], wanted.has_boxes)
    assert len(found.boxes) == len(wanted.boxes)


def test_convert_stops_at_a_problem_unless_told_to_skip_it(scenes, tmp_path, capsys):
    (scenes / "train/000002.png").write_bytes(b"")
    arguments = [*mixture(scenes), "--to=coco", f"--output={tmp_path / 'all.json'}"]
    assert "000002.png" in fail(capsys, "convert", *arguments)
    assert not (tmp_path / "all.json").exists()
    cli.main(["convert", *arguments, "--skip_bad"])
    printed = capsys.readouterr().out
    assert "skipped: " in printed and "000002.png" in printed
    assert "all.json: 11 images" in printed


def test_a_missing_public_set_is_said_to_be_fetched(tmp_path, capsys):
    for config, name in (("coco_50pct", "coco2017"), ("voc07_10pct", "voc2007")):
        message = fail(
            capsys,
            "inspect",
            f"--config={config}",
            f"--data_dir={tmp_path / 'none'}",
        )
        assert f"ehsod download {name} --data_dir {tmp_path / 'none'}" in message


def test_inspect_opens_the_batch_of_a_run(scenes, tmp_path, capsys):
    """With names where the data set is named, and with numbers where it is gone."""
    source = ["--coco", scenes / "boxes.json", "--images", scenes / "train"]
    image_set = data.read_coco(scenes / "boxes.json", scenes / "train")
    dataset = data.build_evaluation_dataset(
        image_set, batch_size=2, resizing=data.Resizing(64, 64)
    )
    dump = tmp_path / "nonfinite_step_5.npz"
    training.write_batch_dump(str(dump), next(iter(dataset)), {"mid": np.nan}, 5)
    page = tmp_path / "page.html"
    command = ["inspect", "--batch", dump, "--output", page]

    cli.main([str(word) for word in command + source])
    printed = capsys.readouterr().out
    assert "step 5: 2 images" in printed and "mid  nan <- not finite" in printed
    assert f"{image_set.image_names[0]} (id {image_set.image_ids[0]})" in printed
    assert any(name in page.read_text() for name in image_set.class_names)

    (tmp_path / "operative_config.gin").write_text("Experiment.epochs = 0\n")
    cli.main([str(word) for word in command])
    printed = capsys.readouterr().out
    assert "note: numbers in place of names" in printed
    assert f"image {image_set.image_ids[0]}: " in printed
    assert re.search(r"class \d", page.read_text())


def test_inspect_refuses_what_is_no_batch(scenes, capsys):
    message = fail(capsys, "inspect", "--batch", scenes / "boxes.json")
    assert "boxes.json is not a batch that a run has written" in message
    message = fail(capsys, "inspect", "--batch=b.npz", "--split_file=s.json")
    assert "--split_file would do nothing with --batch" in message


def test_a_config_mixes_the_forms(scenes, capsys):
    """`configs/half_annotated.gin` on its own files."""
    (scenes / "images").symlink_to(scenes / "train")
    shutil.copy(scenes / "annotations/instances_val.json", scenes / "val.json")
    config = ["--config=configs/half_annotated.gin", f"--data_dir={scenes}"]
    cli.main(["inspect", *config, f"--output={scenes / 'page.html'}"])
    assert "12 images: 6 strong (boxes), 6 weak" in capsys.readouterr().out


def test_voc_may_come_first_in_a_mixture(scenes, tmp_path, capsys):
    """Its classes are VOC's then, and those of the table; also by flags."""
    devkit = tmp_path / "devkit"
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (devkit / folder).mkdir(parents=True)
    (devkit / "ImageSets/Main/train.txt").write_text("000007\n")
    for name in ("JPEGImages/000007.jpg", "JPEGImages/other.jpg"):
        pixels = np.full([30, 40, 3], len(name), np.uint8)
        Image.fromarray(pixels).save(devkit / name)
    (devkit / "Annotations/000007.xml").write_text(
        "<annotation><size><width>40</width><height>30</height></size><object>"
        "<name>dog</name><bndbox><xmin>2</xmin><ymin>3</ymin><xmax>20</xmax>"
        "<ymax>25</ymax></bndbox></object></annotation>"
    )
    (devkit / "labels.csv").write_text("file_name,labels\nother.jpg,cat\n")
    lines = [
        "train/read_mixture.sources = (@read_voc, @labels/read_label_csv)",
        "read_voc.data_dir = %DATA_DIR",
        "read_voc.devkit = 'devkit'",
        "read_voc.image_set = 'train'",
        "read_label_csv.csv_file = 'devkit/labels.csv'",
        "read_label_csv.image_dir = 'devkit/JPEGImages'",
    ]
    page = f"--output={tmp_path / 'page.html'}"
    config = [
        *("--config=configs/half_annotated.gin", f"--data_dir={tmp_path}"),
        *(f"--gin_bindings={line}" for line in lines),
    ]
    flags = [
        *("--voc", str(devkit), "--list", "train", "--csv", str(devkit / "labels.csv")),
        *("--images", str(devkit / "JPEGImages")),
    ]
    for source in (config, flags):
        cli.main(["inspect", *source, page])
        printed = capsys.readouterr().out
        assert "2 images: 1 strong (boxes), 1 weak" in printed
        assert "classes: 20" in printed
