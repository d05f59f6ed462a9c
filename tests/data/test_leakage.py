import os
import shutil

import numpy as np
import pytest
from PIL import Image

from ehsod_tf.data import select_images
from ehsod_tf.data.checks.leakage import leave_out_shared_images
from ehsod_tf.data.problems import Findings
from ehsod_tf.errors import DataError


@pytest.fixture
def sets(make_image_set):
    """Four training and two evaluation images, all different."""
    image_set = make_image_set([(20, 30)] * 6)
    in_training = np.arange(6) < 4
    return select_images(image_set, in_training), select_images(image_set, ~in_training)


def test_nothing_shared(sets):
    findings = Findings()
    kept = leave_out_shared_images(*sets, findings=findings)
    assert kept.image_names == ["0.png", "1.png", "2.png", "3.png"]
    assert not findings.problems and not findings.notes
    leave_out_shared_images(*sets)


def test_same_bytes_under_another_name(sets):
    training_set, evaluation_set = sets
    shutil.copy(evaluation_set.paths[1], training_set.paths[2])
    findings = Findings()
    kept = leave_out_shared_images(training_set, evaluation_set, findings=findings)
    assert kept.image_names == ["0.png", "1.png", "3.png"]
    (problem,) = findings.problems
    assert (problem.file, problem.record) == (training_set.paths[2], "image 102")
    assert evaluation_set.paths[1] in problem.message
    with pytest.raises(DataError, match="2.png, image 102: the evaluation set holds"):
        leave_out_shared_images(training_set, evaluation_set)


def test_every_training_copy_goes(sets):
    training_set, evaluation_set = sets
    for row in (0, 3):
        shutil.copy(evaluation_set.paths[0], training_set.paths[row])
    findings = Findings()
    kept = leave_out_shared_images(training_set, evaluation_set, findings=findings)
    assert kept.image_names == ["1.png", "2.png"]
    assert len(findings.problems) == 2 and not findings.notes


def test_one_file_in_both_lists(sets):
    training_set, evaluation_set = sets
    evaluation_set.paths[0] = training_set.paths[1]
    findings = Findings()
    kept = leave_out_shared_images(training_set, evaluation_set, findings=findings)
    assert kept.image_names == ["0.png", "2.png", "3.png"]


def test_same_size_and_end_are_not_enough(sets):
    training_set, evaluation_set = sets
    for path, first in ((training_set.paths[0], b"a"), (evaluation_set.paths[0], b"b")):
        with open(path, "wb") as file:
            file.write(first + bytes(10_000))
    findings = Findings()
    kept = leave_out_shared_images(training_set, evaluation_set, findings=findings)
    assert len(kept.image_names) == 4 and not findings.problems


def test_same_pixels_in_other_bytes_are_not_the_same_file(sets):
    training_set, evaluation_set = sets
    with Image.open(evaluation_set.paths[0]) as image:
        image.save(training_set.paths[0], compress_level=0)
    assert len(leave_out_shared_images(*sets).image_names) == 4


def test_copies_within_the_training_set_are_noted(sets):
    training_set, evaluation_set = sets
    for row in (2, 3):
        shutil.copy(training_set.paths[0], training_set.paths[row])
    findings = Findings()
    kept = leave_out_shared_images(training_set, evaluation_set, findings=findings)
    assert len(kept.image_names) == 4
    (note,) = findings.notes
    assert note.startswith("2 training images are copies of others")
    assert f"{training_set.paths[2]} of {training_set.paths[0]}" in note


def test_copies_within_the_evaluation_set_do_not_matter(sets):
    training_set, evaluation_set = sets
    shutil.copy(evaluation_set.paths[0], evaluation_set.paths[1])
    findings = Findings()
    leave_out_shared_images(training_set, evaluation_set, findings=findings)
    assert not findings.problems and not findings.notes


def test_a_missing_file_is_nobodys_copy(sets):
    training_set, evaluation_set = sets
    os.remove(training_set.paths[0])
    os.remove(evaluation_set.paths[0])
    assert len(leave_out_shared_images(*sets).image_names) == 4


def test_all_images_shared(sets):
    _, evaluation_set = sets
    with pytest.raises(DataError, match="all 2 training images are in the evaluation"):
        leave_out_shared_images(evaluation_set, evaluation_set, findings=Findings())
