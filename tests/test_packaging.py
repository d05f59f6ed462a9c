"""What others are given: a wheel to run, a source archive to build one from."""

import os
import subprocess
import sys
import tarfile
import zipfile

import pytest
from tiny_run import ROOT


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """The members of the wheel and of the source archive, made without a compiler."""
    folder = tmp_path_factory.mktemp("packages")
    commands = [
        *("egg_info", f"--egg-base={folder}", "build", f"--build-base={folder}/build"),
        *("bdist_wheel", f"--dist-dir={folder}", f"--bdist-dir={folder}/wheel"),
        *("sdist", "--formats=gztar", f"--dist-dir={folder}"),
    ]
    subprocess.run(
        [sys.executable, "setup.py", "-q", *commands],
        cwd=ROOT,
        env=os.environ | {"PATH": "", "CXX": ""},
        check=True,
        capture_output=True,
    )
    [wheel], [source] = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name: archive.read(name) for name in archive.namelist()}
    with tarfile.open(source) as archive:
        in_source = {name.partition("/")[2] for name in archive.getnames()}
    return in_wheel, in_source


def list_files(folder, *endings):
    """Paths below a folder of the repository, relative to its root."""
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / folder).rglob("*")
        if path.suffix in endings
    }


def test_the_wheel_holds_every_module_and_config(packages):
    in_wheel, _ = packages
    ours = list_files("ehsod_tf", ".py")
    assert len(ours) > 100 and ours == {n for n in in_wheel if n.endswith(".py")}
    configs = list_files("configs", ".gin")
    assert len(configs) > 30
    for name in configs:
        assert in_wheel[f"ehsod_tf/{name}"] == (ROOT / name).read_bytes()


def test_the_wheel_holds_the_templates_of_the_pages(packages):
    in_wheel, in_source = packages
    templates = list_files("ehsod_tf", ".html", ".css", ".js")
    assert len(templates) > 5 and templates <= in_source
    for name in templates:
        assert in_wheel[name] == (ROOT / name).read_bytes()


def test_the_wheel_holds_the_command(packages):
    in_wheel, _ = packages
    [points] = [name for name in in_wheel if name.endswith("entry_points.txt")]
    assert b"ehsod = ehsod_tf.cli:main" in in_wheel[points]


def test_the_ops_can_be_built_from_the_source_archive(packages):
    _, in_source = packages
    wanted = list_files("ops", ".py", ".json", ".cc", ".h", ".cu", ".cuh")
    wanted |= list_files("ehsod_tf", ".py") | list_files("configs", ".gin")
    assert "ops/build_backend.py" in wanted and "ops/sources.json" in wanted
    wanted |= {"setup.py", "pyproject.toml", "README.md", "LICENSE", "constraints.txt"}
    assert wanted <= in_source
