"""What a reader gave is given again, while that is asked for."""

import pytest

from ehsod_tf.data import Findings, forget_readings, reading_once
from ehsod_tf.data.problems import collects_or_raises


@pytest.fixture
def read():
    """A reader that counts its calls."""

    @collects_or_raises
    def read(path, *, source=None, findings):
        read.calls += 1
        findings.add(path, "", "", "bad")
        findings.note(f"{path} is noted")
        findings.count_unannotated(path, 3)
        return [path]

    read.calls = 0
    return read


def test_a_source_is_read_once(read):
    with reading_once():
        first = read("a", findings=Findings())
        # What the second reading finds goes where it is asked for.
        findings = Findings()
        with reading_once():
            assert read("a", findings=findings) is first
        assert [str(p) for p in findings.problems] == ["a: bad"]
        assert findings.notes == ["a is noted"] and findings.unannotated == {"a": 3}
        assert read.calls == 1
        read("b", findings=findings)
        read("a", source="c", findings=findings)
        assert read.calls == 3
        forget_readings()
        read("a", findings=findings)
        assert read.calls == 4
    read("a", findings=Findings())
    assert read.calls == 5


def test_what_cannot_be_compared_is_read_again(read):
    with reading_once():
        for _ in range(2):
            read("a", source=lambda: None, findings=Findings())
    assert read.calls == 2


def test_nothing_is_kept_unless_asked_for(read):
    for _ in range(2):
        read("a", findings=Findings())
    forget_readings()
    assert read.calls == 2
