"""What an installed package holds besides its Python files."""

import subprocess
import sys

from tiny_run import ROOT


def test_a_built_package_holds_every_config(tmp_path):
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", f"--build-lib={tmp_path}"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    ours, built = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.gin")}
        for folder in (ROOT / "configs", tmp_path / "ehsod_tf" / "configs")
    )
    assert len(ours) > 30 and built == ours
