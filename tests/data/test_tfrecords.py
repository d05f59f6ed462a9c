import os

import numpy as np
import pytest
import tensorflow as tf
from image_sets import assert_same_columns

from ehsod_tf.data import Findings, Split, apply_split, build_training_dataset
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.data.tfrecord.label_map import read_label_map
from ehsod_tf.data.tfrecord.reading import read_tfrecords
from ehsod_tf.data.tfrecord.writing import write_tfrecords
from ehsod_tf.errors import ConfigError, DataError
from ehsod_tf.structures import ABSENT, PRESENT, UNKNOWN

SIZES = [(24, 32), (32, 24), (333, 500), (30, 40), (20, 20)]
OBJECTS = [
    (0, (2.25, 4.0, 10.5, 20.75), 1),
    (0, (0.0, 0.0, 24.0, 32.0), 2),
    (1, (1.0, 1.0, 9.0, 9.0), 0),
    (2, (123.45, 0.01, 332.99, 499.99), 2),
    (3, (3.0, 6.0, 15.0, 30.0), 2),
    (3, (0.0, 0.0, 8.0, 8.0), 0),
    (4, (1.0, 2.0, 3.0, 4.0), 1),
]
PARSED = "image/encoded image/filename image/source_id image/height image/width"


@pytest.fixture
def mixture(make_image_set):
    """Strong: 0, 2 and 3, with a crowd. Weak: 1; 4, one label unknown."""
    image_set = make_image_set(SIZES, OBJECTS, ignored={5})
    mixed = apply_split(image_set, Split(0, 60, (100, 102, 103)))
    mixed.class_states[4] = [UNKNOWN, PRESENT, ABSENT]
    return mixed._replace(category_ids=(7, 3, 90))


@pytest.fixture
def folder(mixture, tmp_path):
    folder = tmp_path / "records"
    assert write_tfrecords(mixture, folder, num_shards=2) == 5
    return folder


def read(folder, **arguments):
    image_dir = folder.parent / "unpacked"
    return read_tfrecords(folder / "images-*.tfrecord", image_dir, **arguments)


def change(path, number, edit):
    """Writes a file again with record `number` edited."""
    records = [r.numpy() for r in tf.data.TFRecordDataset(os.fspath(path))]
    example = tf.train.Example.FromString(records[number - 1])
    edit(example.features.feature)
    records[number - 1] = example.SerializeToString()
    with tf.io.TFRecordWriter(os.fspath(path)) as writer:
        for record in records:
            writer.write(record)


def first_file(folder):
    return folder / "images-00000-of-00002.tfrecord"


def test_a_mixture_comes_back(mixture, folder):
    again = read(folder)
    assert_same_columns(mixture, again, ("paths",))
    for path, source in zip(again.paths, mixture.paths, strict=True):
        with open(path, "rb") as a, open(source, "rb") as b:
            assert a.read() == b.read()


def test_the_same_tensors(mixture, folder):
    arguments = {"batch_size": 2, "resizing": Resizing(32, 40)}
    sets = [
        build_training_dataset(image_set, seed=0, epochs=4, **arguments)
        for image_set in (mixture, read(folder))
    ]
    for a, b in zip(*sets, strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, a, b)


def test_any_coordinates_come_back_within_the_stated_error(
    make_image_set, rng, tmp_path
):
    size = (1333, 2000)
    boxes = np.sort(rng.uniform(size=[200, 2, 2]), axis=1).reshape(-1, 4)
    boxes *= np.tile(size, 2)
    image_set = make_image_set([size], [(0, box, 0) for box in boxes])
    image_set.areas[:] = rng.uniform(1, 1e6, 200)
    write_tfrecords(image_set, tmp_path / "records", num_shards=1)
    again = read(tmp_path / "records")
    np.testing.assert_allclose(again.boxes, image_set.boxes, rtol=1.2e-7, atol=0)
    np.testing.assert_allclose(again.areas, image_set.areas, rtol=6e-8, atol=0)
    assert (again.boxes != image_set.boxes).mean() > 0.5


def test_keys_of_the_api(mixture, folder):
    (record,) = tf.data.TFRecordDataset(os.fspath(first_file(folder))).take(1)
    variable = {
        "image/object/class/text": tf.string,
        "image/object/class/label": tf.int64,
        "image/object/is_crowd": tf.int64,
        "image/object/difficult": tf.int64,
        "image/object/area": tf.float32,
        "image/class/label": tf.int64,
        "image/class/text": tf.string,
        "image/class/absent_label": tf.int64,
        "image/class/absent_text": tf.string,
        **{f"image/object/bbox/{s}": tf.float32 for s in "ymin xmin ymax xmax".split()},
    }
    fixed = {"image/height": tf.int64, "image/width": tf.int64}
    fixed |= {f"image/{name}": tf.string for name in "encoded format filename".split()}
    fixed |= {f"image/{n}": tf.string for n in ("source_id", "supervision")}
    fixed["image/key/sha256"] = tf.string
    features = tf.io.parse_single_example(
        record,
        {name: tf.io.FixedLenFeature([], kind) for name, kind in fixed.items()}
        | {name: tf.io.VarLenFeature(kind) for name, kind in variable.items()},
    )
    values = {
        name: getattr(value, "values", value).numpy()
        for name, value in features.items()
    }
    assert values["image/format"] == b"png"
    assert values["image/source_id"] == b"100"
    assert (values["image/height"], values["image/width"]) == (24, 32)
    assert values["image/supervision"] == b"boxes"
    np.testing.assert_allclose(
        [values[f"image/object/bbox/{s}"] for s in ("ymin", "xmin", "ymax", "xmax")],
        [[2.25 / 24, 0], [4 / 32, 0], [10.5 / 24, 1], [20.75 / 32, 1]],
        rtol=1e-6,
    )
    assert values["image/object/class/text"].tolist() == [b"dog", b"cow"]
    assert values["image/object/class/label"].tolist() == [3, 90]
    assert values["image/class/text"].tolist() == [b"dog", b"cow"]
    assert values["image/class/absent_label"].tolist() == [7]
    assert values["image/class/absent_text"].tolist() == [b"cat"]
    assert read_label_map(folder / "label_map.pbtxt") == {7: "cat", 3: "dog", 90: "cow"}


def test_ids_below_one_are_not_used_as_labels(mixture, tmp_path):
    image_set = mixture._replace(category_ids=(0, 1, 2))
    write_tfrecords(image_set, tmp_path / "records", num_shards=1)
    assert list(read_label_map(tmp_path / "records" / "label_map.pbtxt")) == [1, 2, 3]
    again = read(tmp_path / "records")
    image_set = image_set._replace(category_ids=(1, 2, 3))
    assert_same_columns(image_set, again, ("paths",))


def test_files_of_others(mixture, folder):
    """Without keys of ours every image is strong, its labels follow from its boxes."""

    def forget(features):
        for key in list(features):
            if key.startswith(("image/class/", "image/superv", "image/key")):
                del features[key]
        del features["image/object/area"]
        features["image/source_id"].bytes_list.value[0] = b"a photograph"

    change(first_file(folder), 1, forget)
    again = read(folder)
    assert again.has_boxes[0] and again.image_ids[0] > 2**32
    np.testing.assert_array_equal(again.image_labels[0], [ABSENT, PRESENT, PRESENT])
    np.testing.assert_array_equal(again.areas[:2], [8.25 * 16.75, 24 * 32])


def test_chosen_classes(mixture, folder):
    chosen = read(folder, class_names=("cow", "cat"))
    assert chosen.category_ids == (90, 7)
    # Of image 4 the label of the dog was all that was known, besides the absent cow.
    np.testing.assert_array_equal(chosen.image_labels, mixture.image_labels[:, [2, 0]])
    np.testing.assert_array_equal(np.diff(chosen.row_splits), [1, 0, 1, 2, 0])
    np.testing.assert_array_equal(chosen.classes, [0, 0, 0, 1])


def test_an_image_of_which_nothing_is_known_is_noted(folder):
    findings = Findings()
    cats = read(folder, class_names=("cat",), findings=findings)
    assert cats.image_names == [f"{row}.png" for row in range(4)]
    assert "1 image whose labels are all unknown, left out (first: 4" in str(
        findings.notes
    )


def test_images_are_unpacked_once(folder):
    paths = read(folder).paths
    times = [os.stat(path).st_mtime_ns for path in paths]
    assert [os.stat(path).st_mtime_ns for path in read(folder).paths] == times
    with open(paths[0], "ab") as file:
        file.write(b"!")
    with pytest.raises(DataError, match="record 1, image/filename: .*0.png is another"):
        read(folder)


def remove(key):
    return lambda features: features.pop(key)


def put(key, **values):
    def edit(features):
        features[key].CopyFrom(tf.train.Feature())
        for kind, value in values.items():
            getattr(features[key], kind).value.extend(value)

    return edit


@pytest.mark.parametrize(
    "edit, field, message",
    [
        *((remove(key), key, "holds 0 values") for key in PARSED.split()),
        (put("image/height", bytes_list=[b"24"]), "image/height", "holds a bytes_list"),
        (put("image/height", int64_list=[24, 32]), "image/height", "holds 2 values"),
        (put("image/width", int64_list=[0]), "image/width", "0 is not a positive"),
        (put("image/filename", bytes_list=[b"../a"]), "image/filename", "leads out of"),
        (put("image/filename", bytes_list=[b"\xff"]), "image/filename", "not UTF-8"),
        (put("image/encoded", bytes_list=[b"no"]), "image/key/sha256", "not have this"),
        (put("image/supervision", bytes_list=[b"x"]), "image/supervision", "none of"),
        (
            put("image/supervision", bytes_list=[b"labels"]),
            "image/supervision",
            "but the record has boxes",
        ),
        (remove("image/object/bbox/xmax"), "image/object/bbox/xmax", "0 values for 2"),
        (remove("image/object/class/label"), "image/object/bbox/ymin", "2 values for"),
        (
            put("image/object/is_crowd", int64_list=[0]),
            "image/object/is_crowd",
            "1 value for 2",
        ),
        (put("image/object/area", float_list=[1] * 3), "image/object/area", "3 values"),
        (
            put("image/object/bbox/ymin", float_list=[0, float("nan")]),
            "image/object/bbox",
            "not finite",
        ),
        (
            put("image/object/class/label", int64_list=[3, 4]),
            "image/object/class/label",
            "4 is not in the label map",
        ),
        (put("image/class/label", int64_list=[5]), "image/class/label", "5 is not in"),
        (
            put("image/class/absent_label", int64_list=[3]),
            "image/class/absent_label",
            "also in image/class/label",
        ),
        (put("image/class/label", int64_list=[3, 7]), "image/class", "'cat' is lab"),
    ],
)
def test_a_bad_record_is_named_and_left_out(folder, edit, field, message):
    if field == "image/class":
        change(first_file(folder), 1, remove("image/class/absent_label"))
    change(first_file(folder), 1, edit)
    findings = Findings()
    rest = read(folder, findings=findings)
    assert rest.image_names == [f"{row}.png" for row in range(1, 5)]
    (problem,) = findings.problems
    assert problem[:3] == (os.fspath(first_file(folder)), "record 1", field)
    assert message in problem.message
    with pytest.raises(DataError, match="record 1, "):
        read(folder)


def test_not_an_example(folder):
    path = os.fspath(first_file(folder))
    with tf.io.TFRecordWriter(path) as writer:
        writer.write(b"\xff\xff")
    with pytest.raises(DataError, match="record 1: not a tf.train.Example"):
        read(folder)


def test_nothing_but_bad_records(folder):
    (folder / "images-00001-of-00002.tfrecord").unlink()
    first_file(folder).write_bytes(b"no records at all")
    findings = Findings()
    nothing = read(folder, findings=findings)
    assert nothing.paths == [] and nothing.image_labels.shape == (0, 3)
    assert len(findings.problems) == 1


@pytest.mark.parametrize("damage", ["truncated", "corrupt"])
def test_damaged_files(folder, damage):
    """The file's other records and the other files are still read."""
    path = first_file(folder)
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        content = content[:-10]
    else:
        content[-10] ^= 1
    path.write_bytes(content)
    findings = Findings()
    assert read(folder, findings=findings).image_ids.tolist() == [100, 101, 103, 104]
    (problem,) = findings.problems
    assert problem[:2] == (os.fspath(path), "record 3")
    assert "damaged" in problem.message


def test_repeated_records(folder):
    second = folder / "images-00001-of-00002.tfrecord"
    change(second, 1, put("image/filename", bytes_list=[b"1.png"]))
    change(second, 2, put("image/source_id", bytes_list=[b"102"]))
    findings = Findings()
    assert read(folder, findings=findings).image_ids.tolist() == [100, 101, 102]
    assert "another record has 1.png too" in findings.problems[0].message
    assert "another record has 102 too" in findings.problems[1].message


def test_a_file_whose_name_holds_brackets(folder, tmp_path):
    """As a pattern it would be a choice of letters."""
    odd = folder.rename(tmp_path / "records [1]")
    [first, _] = sorted(odd.glob("*.tfrecord"))
    found = read_tfrecords(first, tmp_path / "unpacked")
    assert len(found.paths) == 3


def test_no_file_or_label_map(folder):
    with pytest.raises(DataError, match="none.*: no file has such a name"):
        read_tfrecords(folder / "none*", folder)
    (folder / "label_map.pbtxt").unlink()
    with pytest.raises(DataError, match="label_map.pbtxt: no label map can be read"):
        read(folder)


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is empty"),
        ("item { id 3", "no label map can be read"),
        ("item { id: 3 }", "item 1: id 3 and name ''"),
        ("item { name: 'cat' }", "item 1: id 0"),
        ("item { id: 3 name: 'a' } item { id: 3 name: 'b' }", "item 2: id 3"),
        ("item { id: 3 name: 'a' } item { id: 4 name: 'a' }", "item 2: id 4"),
    ],
)
def test_bad_label_maps(tmp_path, text, message):
    path = tmp_path / "label_map.pbtxt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        read_label_map(path)


def test_label_map_of_coco(tmp_path):
    path = tmp_path / "label_map.pbtxt"
    path.write_text(
        'item {\n  name: "/m/01g317"\n  id: 1\n  display_name: "person"\n}\n'
        "item { id: 2 name: 'b\"c \\303\\244' instance_count: 5 }  # a comment\n"
    )
    assert read_label_map(path) == {1: "person", 2: 'b"c ä'}


def test_a_folder_that_holds_something_is_not_touched(mixture, tmp_path):
    (tmp_path / "records").mkdir()
    write_tfrecords(mixture, tmp_path / "records", num_shards=1)
    before = sorted(os.listdir(tmp_path / "records"))
    with pytest.raises(DataError, match="records: this folder is not empty"):
        write_tfrecords(mixture, tmp_path / "records", num_shards=3)
    assert sorted(os.listdir(tmp_path / "records")) == before


def test_unreadable_images_stop_the_writing(mixture, tmp_path):
    os.remove(mixture.paths[1])
    with open(mixture.paths[3], "w") as file:
        file.write("no image")
    with pytest.raises(DataError, match="1.png, image 101: .*missing[^!]*3.png, image"):
        write_tfrecords(mixture, tmp_path / "records", num_shards=1)
    assert sorted(os.listdir(tmp_path)) == ["images"]


def test_number_of_files(mixture, tmp_path):
    write_tfrecords(mixture, tmp_path / "records", num_shards=16)
    assert len(os.listdir(tmp_path / "records")) == 5 + 1
    assert_same_columns(mixture, read(tmp_path / "records"), ("paths",))
    with pytest.raises(ConfigError, match="num_shards must be a whole number.*got 0"):
        write_tfrecords(mixture, tmp_path / "none", num_shards=0)
