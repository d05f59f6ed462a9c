"""What is odd but certain is read, and a note says how it was understood."""

import re

import pytest

from ehsod_tf.data.problems import Findings
from malformed.accepted_cases import CASES
from malformed.case import HEIGHT, WIDTH


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_read_with_a_note(case, tmp_path):
    case.write(tmp_path)
    findings = Findings()
    image_set = case.read(tmp_path, findings)
    assert not findings.problems
    assert tuple(image_set.image_names) == case.names
    assert len(image_set.boxes) == case.num_boxes
    assert image_set.sizes.tolist() == [[HEIGHT, WIDTH]] * 3
    assert not image_set.ignored.any()
    noted = "\n".join(findings.notes)
    if case.notes is None:
        assert not noted
    else:
        assert re.search(case.notes, noted), noted
