import io
import os
import tarfile
import zipfile

import pytest

from ehsod_tf.downloads.unpacking import unpack
from ehsod_tf.errors import DataError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "in" / "unpacked"
    folder.mkdir(parents=True)
    return folder


def _write_zip(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(path)


def _write_tar(path, members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(path)


WRITERS = {"a.zip": _write_zip, "a.tar": _write_tar}
both = pytest.mark.parametrize("name, write", WRITERS.items(), ids=WRITERS)


@both
def test_members_keep_their_paths_and_bytes(tmp_path, folder, name, write):
    archive = write(tmp_path / name, {"x/y/1.jpg": b"one", "x/2.txt": b"two"})
    unpack(archive, str(folder))
    assert (folder / "x/y/1.jpg").read_bytes() == b"one"
    assert (folder / "x/2.txt").read_bytes() == b"two"


@both
@pytest.mark.parametrize("member", ["../evil", "x/../../evil", "../../evil"])
def test_no_member_leaves_the_folder(tmp_path, folder, name, write, member):
    archive = write(tmp_path / name, {"good": b"", member: b"evil"})
    with pytest.raises(DataError, match=f"{name}: cannot be unpacked .*evil"):
        unpack(archive, str(folder))
    assert not [path for path in tmp_path.rglob("evil")]


@both
def test_absolute_paths(tmp_path, folder, name, write):
    """zip: refused; tar: the filter takes the slash away."""
    archive = write(tmp_path / name, {f"{tmp_path}/evil": b"evil"})
    if name == "a.zip":
        with pytest.raises(DataError, match="evil"):
            unpack(archive, str(folder))
    else:
        unpack(archive, str(folder))
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_links_do_not_leave_the_folder(tmp_path, folder, kind):
    link = tarfile.TarInfo("link")
    link.type = kind
    link.linkname = "../../outside"
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(link)
    with pytest.raises(DataError, match="a.tar: cannot be unpacked"):
        unpack(str(tmp_path / "a.tar"), str(folder))
    assert os.listdir(folder) == []


@both
@pytest.mark.parametrize("damage", ["cut", "scrambled", "empty"])
def test_broken_archives(tmp_path, folder, name, write, damage):
    archive = write(tmp_path / name, {"x": os.urandom(5000), "y": b"abc" * 5000})
    with open(archive, "rb") as file:
        content = file.read()
    damaged = {"cut": content[:2000], "scrambled": b"\1" * 600, "empty": b""}
    with open(archive, "wb") as file:
        file.write(damaged[damage])
    with pytest.raises(DataError, match=f"{name}: cannot be unpacked .*again"):
        unpack(archive, str(folder))
