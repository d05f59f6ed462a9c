"""Sound files, spoilt at random: a reading gives a sound set or an `EhsodError`."""

import copy
import json
import math
import random
import re
import warnings

import numpy as np
import pytest

from ehsod_tf.data.image_files import is_plain_text
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import EhsodError
from malformed import (
    box_csv_cases,
    coco_cases,
    csv_cases,
    cvat_cases,
    label_studio_cases,
    labelme_cases,
    split_cases,
    via_cases,
    voc_cases,
    voc_xml_cases,
    yolo_cases,
)
from malformed.case import write_images

NUM_MUTATIONS = 60

# What breaks parsers, and what they let through.
TOKENS = (
    *(b'"', b"{", b"}", b"[", b"]", b",", b";", b":", b"\\", b"<", b">", b"&", b"/"),
    *(b"\0", b"\n", b"\r", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\\ud800", b"&#0;"),
    *(b"NaN", b"-Infinity", b"null", b"true", b"-1", b"0", b"0.5", b"1e999", b"1e-999"),
    *(b"9" * 30, b"..", b"<object/>", b"<!DOCTYPE a>", b"]]>"),
)
VALUES = (
    *(None, True, 0, -1, 1, 5, 12, 2**31, 2**63, 0.5, 1e300, math.nan, -math.inf),
    *("", "a.png", "cat", "\ud800", "../a", "boxes", [], {}, [[]], [1, 1, 4, 4]),
    *([0, 0, 0, 0], ["cat"], {"id": 1}, "x" * 600),
)
# Fields that are read but that the sound file does without.
FIELDS = ("image_labels", "absent_labels", "supervision", "area", "iscrowd", "id")


def mutate_bytes(content: bytes, rng: random.Random) -> bytes:
    """Returns the content with one to three places spoilt."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(content) + 1)
        end = min(start + rng.choice((0, 0, 1, 3, 40)), len(content))
        numbers = list(re.finditer(rb"-?\d+", content))
        if numbers and rng.random() < 0.4:
            start, end = rng.choice(numbers).span()
        new = rng.choice((rng.choice(TOKENS), content[start:end] * 2, b""))
        content = content[:start] + new + content[end:]
    return content


def mutate_json(content: bytes, rng: random.Random) -> bytes:
    """Returns the JSON with some of its values replaced, added, repeated or removed."""
    tree = json.loads(content)
    for _ in range(rng.randint(1, 3)):
        parents = [node for node in list_nodes(tree) if node]
        if not parents:
            break
        parent = rng.choice(parents)
        keys = list(parent) if isinstance(parent, dict) else range(len(parent))
        key = rng.choice(keys)
        change = rng.choice(("replace", "replace", "remove", "add"))
        if change == "remove":
            del parent[key]
        elif change == "replace":
            parent[key] = copy.deepcopy(rng.choice(VALUES))
        elif isinstance(parent, dict):
            parent[rng.choice(FIELDS)] = copy.deepcopy(rng.choice(VALUES))
        else:
            parent.append(copy.deepcopy(parent[key]))
    return json.dumps(tree).encode()


def list_nodes(node: object) -> list:
    """Returns all lists and objects of a JSON tree."""
    if not isinstance(node, dict | list):
        return []
    children = node.values() if isinstance(node, dict) else node
    return [node, *(found for child in children for found in list_nodes(child))]


def write_coco(folder):
    write_images(folder / "images")
    return folder / coco_cases.FILE, coco_cases.SOUND_BYTES


def write_voc(folder):
    content = voc_cases.SOUND.encode()
    voc_cases.write_devkit(folder, content, b"a\nb\nc\n")
    return folder / "Annotations" / "b.xml", content


def write_voc_list(folder):
    content = b"a\nb\nc\n"
    voc_cases.write_devkit(folder, voc_cases.SOUND.encode(), content)
    return folder / "ImageSets" / "Main" / voc_cases.LIST, content


def write_split(folder):
    write_images(folder / "images")
    (folder / coco_cases.FILE).write_bytes(coco_cases.SOUND_BYTES)
    return folder / "split.json", split_cases.SPLIT_BYTES


def write_csv(folder):
    write_images(folder / "images")
    return folder / csv_cases.FILE, csv_cases.SIGNED.format("cat;dog,").encode()


def write_yolo(folder):
    yolo_cases.write(folder, yolo_cases.SOUND)
    return folder / yolo_cases.FILE, yolo_cases.SOUND.encode()


def write_yolo_labels(folder):
    content = f"{yolo_cases.LINE}1 0.1 0.2 0.3 0.2 0.3 0.4\n".encode()
    yolo_cases.write(folder, yolo_cases.SOUND, content)
    return folder / "labels" / "train" / "b.txt", content


def write_voc_xml(folder):
    voc_xml_cases.write(folder)
    return folder / "b.xml", voc_xml_cases.SOUND.encode()


def write_cvat(folder):
    shapes = f'{cvat_cases.BOX}<tag label="cat"/>{cvat_cases.POLYGON.format("1,2;3,4")}'
    content = cvat_cases.make(shapes, more=cvat_cases.TRACK.format("dog", 1)).encode()
    write_images(folder / "images")
    return folder / cvat_cases.FILE, content


def write_label_studio(folder):
    write_images(folder / "images")
    tasks = copy.deepcopy(label_studio_cases.SOUND)
    tasks[2]["annotations"][0]["result"] = [label_studio_cases.CHOICE]
    return folder / label_studio_cases.FILE, json.dumps(tasks).encode()


def write_labelme(folder):
    labelme_cases.write(folder)
    return folder / "b.json", labelme_cases.SOUND_BYTES


def write_via(folder):
    write_images(folder / "images")
    return folder / via_cases.FILE, via_cases.SOUND_BYTES


def write_box_csv(folder):
    write_images(folder / "images")
    return folder / box_csv_cases.FILE, box_csv_cases.SOUND.encode()


@pytest.mark.parametrize(
    "write, read, mutate",
    [
        (write_coco, coco_cases.read, mutate_json),
        (write_coco, coco_cases.read, mutate_bytes),
        (write_voc, voc_cases.read, mutate_bytes),
        (write_voc_list, voc_cases.read, mutate_bytes),
        (write_csv, csv_cases.read, mutate_bytes),
        (write_split, split_cases.read, mutate_json),
        (write_yolo, yolo_cases.read, mutate_bytes),
        (write_yolo_labels, yolo_cases.read, mutate_bytes),
        (write_voc_xml, voc_xml_cases.read, mutate_bytes),
        (write_cvat, cvat_cases.read, mutate_bytes),
        (write_label_studio, label_studio_cases.read, mutate_json),
        (write_labelme, labelme_cases.read, mutate_json),
        (write_via, via_cases.read, mutate_json),
        (write_box_csv, box_csv_cases.read, mutate_bytes),
    ],
    ids=[
        *("json_values", "json_bytes", "xml_bytes", "list_bytes", "csv_bytes", "split"),
        *("yolo", "yolo_labels", "voc_xml", "cvat", "label_studio", "labelme"),
        *("via", "box_csv"),
    ],
)
def test_a_spoilt_file_gives_a_sound_set_or_a_named_error(
    write, read, mutate, tmp_path
):
    rng = random.Random(0)
    path, sound = write(tmp_path)
    num_reported = 0
    for _ in range(NUM_MUTATIONS):
        content = mutate(sound, rng)
        path.write_bytes(content)
        num_reported += assert_read_or_reported(read, tmp_path, content)
    # Mutations that hit nothing, or all of them the same, would test little.
    assert NUM_MUTATIONS / 4 < num_reported


def assert_read_or_reported(read, folder, content) -> bool:
    """Reads strictly and with findings; returns whether anything was wrong."""
    findings = Findings()
    try:
        lenient = read(folder, findings)
    except EhsodError as error:
        lenient, reported = None, str(error)
    else:
        assert_sound(lenient)
        reported = "\n".join(map(str, findings.problems))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            strict = read(folder, None)
    except EhsodError as error:
        assert reported, content
        reported += str(error)
    else:
        assert not reported, content
        for column, expected in zip(strict, lenient, strict=True):
            np.testing.assert_array_equal(column, expected)
    assert is_plain_text(reported.replace("\n", "")), content
    return bool(reported)


def assert_sound(image_set):
    num_images, num_boxes = len(image_set.paths), len(image_set.boxes)
    assert num_images == len(image_set.image_names) == len(set(image_set.image_ids))
    assert (image_set.sizes > 0).all()
    assert image_set.row_splits[-1] == num_boxes
    image_of_box = np.repeat(np.arange(num_images), np.diff(image_set.row_splits))
    assert image_set.has_boxes[image_of_box].all()
    assert np.isfinite(image_set.boxes).all() and np.isfinite(image_set.areas).all()
    limits = np.tile(image_set.sizes[image_of_box], 2) + 1
    assert (image_set.boxes >= -1).all() and (image_set.boxes <= limits).all()
    assert np.isin(image_set.image_labels, (-1, 0, 1)).all()
    assert (image_set.has_boxes | (image_set.image_labels != -1).any(axis=1)).all()
