"""Runs a script of ours up to its flags: all is imported, and no work is begun."""

import argparse
import os
import pathlib
import runpy
import sys
from collections.abc import Sequence
from unittest import mock

import pytest
from tiny_run import ROOT

# What a script may lack is never ours, nor what every installation has.
NEVER_MISSING = {"ehsod_tf", "keras", "tensorflow"} | {
    path.stem
    for pattern in ("benchmarks/*/*.py", "docs/tools/*.py", "examples/*.py")
    for path in ROOT.glob(pattern)
}


class Parsed(Exception):
    """The script has come to its flags and would begin its work."""


def run_up_to_work(
    script: pathlib.Path, monkeypatch, flags: Sequence[str] | None = None
) -> None:
    """Runs a script until it has read its flags; skips the test if it lacks a package.

    Args:
        script: one that parses flags, or else does nothing unless it is `__main__`.
        monkeypatch: pytest's.
        flags: what it is given; None only sees it get there.
    """
    parse_args = argparse.ArgumentParser.parse_args

    def parse_and_leave(parser, args=None, namespace=None):
        if flags is not None:
            parse_args(parser, args, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_and_leave)
    monkeypatch.setattr(sys, "argv", [str(script), *(flags or [])])
    monkeypatch.syspath_prepend(str(script.parent))
    known = set(sys.modules)
    try:
        with mock.patch.dict(os.environ):
            if ".parse_args(" in script.read_text(encoding="utf-8"):
                with pytest.raises(Parsed):
                    runpy.run_path(str(script), run_name="__main__")
            else:
                runpy.run_path(str(script), run_name=script.stem)
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] in NEVER_MISSING:
            raise
        pytest.skip(f"needs {error.name}")
    finally:
        # Neighbours of two scripts may have the same name.
        for name in set(sys.modules) - known:
            place = getattr(sys.modules[name], "__file__", None) or ""
            if pathlib.Path(place).parent == script.parent:
                del sys.modules[name]
