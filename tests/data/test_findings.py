import functools
import inspect

import pytest

from ehsod_tf import data
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.errors import DataError


@collects_or_raises
def check(number: int, *, findings: Findings) -> int:
    findings.note("a note")
    findings.add("a.json", f"record {number}", "", "wrong; correct it")
    return number


def test_findings_take_problems_and_notes(recwarn):
    findings = Findings()
    assert check(7, findings=findings) == 7
    assert [str(p) for p in findings.problems] == [
        "a.json, record 7: wrong; correct it"
    ]
    assert findings.notes == ["a note"]
    assert not recwarn


@pytest.mark.parametrize("nothing", [{}, {"findings": None}])
def test_without_findings_notes_warn_and_problems_raise(nothing):
    with pytest.raises(DataError, match="record 7: wrong"):
        with pytest.warns(UserWarning, match="a note") as warned:
            check(7, **nothing)
    # The warning names the line of the caller, not one of ours.
    assert warned[0].filename == __file__


def test_the_signature_says_that_findings_may_be_left_out():
    parameter = inspect.signature(check).parameters["findings"]
    assert parameter.default is None
    assert parameter.kind is parameter.KEYWORD_ONLY
    assert check.__annotations__["findings"] == Findings | None


def test_no_reader_decides_by_itself():
    """Whatever of `ehsod_tf.data` may lack `findings` has this from the decorator."""
    # Writers do not collect: they hand `findings` on.
    names = [name for name in data.__all__ if not name.startswith("write_")]
    functions = [getattr(data, name) for name in names]
    optional = [
        function
        for function in functions
        if inspect.isfunction(function)
        and (parameter := inspect.signature(function).parameters.get("findings"))
        and parameter.default is None
    ]
    assert data.read_coco in optional
    for function in optional:
        inner = inspect.signature(inspect.unwrap(function)).parameters["findings"]
        assert inner.default is inner.empty, function


def test_problems_of_all_sources_of_a_mixture_are_raised_together(tmp_path):
    tables = []
    for name in ("first", "second"):
        tables.append(tmp_path / f"{name}.csv")
        tables[-1].write_text(f"file_name,labels\n{name}.png,cat\n")
    sources = [
        functools.partial(data.read_label_csv, table, tmp_path) for table in tables
    ]
    with pytest.raises(DataError, match=r"(?s)2 problems.*first\.png.*second\.png"):
        data.read_mixture(tuple(sources))
