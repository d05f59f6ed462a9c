"""Every malformed file gives its named error, or its counted problem."""

import os
import re
import warnings

import pytest

from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError
from malformed import (
    box_csv_cases,
    coco_cases,
    coco_record_cases,
    csv_cases,
    cvat_cases,
    folder_cases,
    image_cases,
    label_studio_cases,
    labelme_cases,
    leakage_cases,
    open_images_cases,
    roboflow_cases,
    split_cases,
    via_cases,
    voc_cases,
    voc_xml_cases,
    yolo_cases,
)

CASES = [
    case
    for source in (
        coco_cases,
        coco_record_cases,
        voc_cases,
        voc_xml_cases,
        yolo_cases,
        roboflow_cases,
        cvat_cases,
        label_studio_cases,
        labelme_cases,
        via_cases,
        box_csv_cases,
        csv_cases,
        folder_cases,
        image_cases,
        split_cases,
        leakage_cases,
        open_images_cases,
    )
    for case in source.CASES
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_strict_reading_names_what_is_wrong(case, tmp_path):
    case.write(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(DataError) as error:
            case.read(tmp_path, None)
    assert_message(case, str(error.value))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_lenient_reading_counts_and_leaves_out(case, tmp_path):
    case.write(tmp_path)
    findings = Findings()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if case.kept is None:
            with pytest.raises(DataError) as error:
                case.read(tmp_path, findings)
            assert_message(case, str(error.value))
            return
        image_set = case.read(tmp_path, findings)
    named = [str(problem) for problem in findings.problems]
    assert tuple(image_set.image_names) == case.kept, named
    assert len(named) == case.num_problems, named
    assert_message(case, "\n".join(named))


def assert_message(case, message):
    assert case.file in message
    assert re.search(case.says, message), message
    # Names and values of any kind must not spoil a terminal or a report.
    message.encode("utf-8")
    assert message.replace("\n", "").isprintable()


def test_the_table_is_large_and_its_rows_differ(tmp_path):
    row_of_input = {}
    for number, case in enumerate(CASES):
        folder = tmp_path / str(number)
        folder.mkdir()
        case.write(folder)
        source = case.name.split(":")[0]
        content = (source, case.options, *describe_files(os.fsencode(folder)))
        same = row_of_input.setdefault(content, case)
        assert same is case, f"{case.name} is the same input as {same.name}"
    assert len(CASES) >= 200
    assert len({case.name for case in CASES}) == len(CASES)


def describe_files(folder):
    """Yields (path, what lies there) of all that is below a folder."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink():
            yield entry.name, os.readlink(entry.path)
        elif entry.is_dir():
            yield entry.name, tuple(describe_files(entry.path))
        elif entry.is_file():
            with open(entry.path, "rb") as file:
                yield entry.name, file.read()
        else:
            yield entry.name, "special"
