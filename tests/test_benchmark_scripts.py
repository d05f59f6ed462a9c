"""Every script of `benchmarks` finds what it imports, and comes to its flags."""

import pytest
from script_runs import run_up_to_work
from tiny_run import ROOT

SCRIPTS = [
    path
    for path in sorted(ROOT.glob("benchmarks/**/*.py"))
    if "__main__" in path.read_text(encoding="utf-8")
]


def test_the_scripts_are_found():
    assert len(SCRIPTS) > 25


@pytest.mark.parametrize(
    "script", SCRIPTS, ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_the_script_comes_to_its_work(script, monkeypatch):
    run_up_to_work(script, monkeypatch)


def test_a_script_of_which_a_part_of_ours_is_missing_is_at_fault(tmp_path, monkeypatch):
    """A package of others is only a reason to skip."""
    script = tmp_path / "script.py"
    for name, reaction in (
        ("ehsod_tf.nothing", ModuleNotFoundError),
        ("no_such_package", pytest.skip.Exception),
    ):
        script.write_text(f"import {name}\n")
        with pytest.raises(reaction):
            run_up_to_work(script, monkeypatch)
