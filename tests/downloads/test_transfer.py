import hashlib
import os

import pytest

from ehsod_tf.downloads import transfer
from ehsod_tf.downloads.transfer import fetch
from ehsod_tf.errors import DataError

CONTENT = bytes(range(256)) * 1200
MD5 = hashlib.md5(CONTENT).hexdigest()
CHUNK = transfer._CHUNK_BYTES
HALF = 9 * CHUNK


@pytest.fixture
def url(server):
    server.files["/a.bin"] = CONTENT
    return f"{server.url}/a.bin"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "a.bin")


def _check_complete(path):
    with open(path, "rb") as file:
        assert file.read() == CONTENT
    assert os.listdir(os.path.dirname(path)) == ["a.bin"]


def test_a_whole_file(server, url, path):
    fetch(url, MD5, path)
    _check_complete(path)
    assert server.requests == [("/a.bin", None, len(CONTENT))]


def test_a_file_that_is_there_is_not_fetched_again(server, url, path):
    with open(path, "wb") as file:
        file.write(CONTENT)
    fetch(url, MD5, path)
    _check_complete(path)
    assert not server.requests


def test_a_file_with_other_bytes_is_replaced(server, url, path):
    with open(path, "wb") as file:
        file.write(b"something else")
    fetch(url, MD5, path)
    _check_complete(path)


def test_only_the_rest_is_transferred(server, url, path):
    with open(f"{path}.part", "wb") as file:
        file.write(CONTENT[:1000])
    fetch(url, MD5, path)
    _check_complete(path)
    assert server.requests == [("/a.bin", "bytes=1000-", len(CONTENT) - 1000)]


def test_a_cut_connection_goes_on_by_itself(server, url, path):
    server.cuts = [HALF, CHUNK, 2 * CHUNK]
    fetch(url, MD5, path)
    _check_complete(path)
    assert server.bytes_sent == len(CONTENT)
    assert [wanted for _, wanted, _ in server.requests] == [
        None,
        f"bytes={HALF}-",
        f"bytes={HALF + CHUNK}-",
        f"bytes={HALF + 3 * CHUNK}-",
    ]


def test_attempts_that_bring_something_are_not_counted(server, url, path):
    server.cuts = [CHUNK] * (3 * transfer._ATTEMPTS)
    fetch(url, MD5, path)
    _check_complete(path)
    assert server.bytes_sent == len(CONTENT)


def test_attempts_that_bring_nothing_come_to_an_end(server, url, path):
    server.cuts = [CHUNK] + [0] * 100
    with pytest.raises(DataError, match=f"{url}: no connection, or it was cut"):
        fetch(url, MD5, path)
    assert len(server.requests) == transfer._ATTEMPTS + 1
    assert os.path.getsize(f"{path}.part") == CHUNK
    assert os.listdir(os.path.dirname(path)) == ["a.bin.part"]

    server.cuts = []
    fetch(url, MD5, path)
    _check_complete(path)
    assert server.bytes_sent == len(CONTENT)


def test_a_server_without_ranges_sends_all_of_it_anew(server, url, path):
    server.has_ranges = False
    server.cuts = [HALF]
    fetch(url, MD5, path)
    _check_complete(path)
    assert [sent for _, _, sent in server.requests] == [HALF, len(CONTENT)]


def test_a_server_without_ranges_that_always_breaks_off(server, url, path):
    server.has_ranges = False
    server.cuts = [HALF] * 100
    with pytest.raises(DataError, match="it was cut"):
        fetch(url, MD5, path)
    assert len(server.requests) == transfer._ATTEMPTS + 1


def test_a_part_that_is_complete(server, url, path):
    """A run that was stopped before the checksum was known."""
    with open(f"{path}.part", "wb") as file:
        file.write(CONTENT)
    fetch(url, MD5, path)
    _check_complete(path)
    assert server.bytes_sent == 0


def test_a_part_that_is_too_long_is_thrown_away(server, url, path):
    with open(f"{path}.part", "wb") as file:
        file.write(CONTENT + b"more")
    fetch(url, MD5, path)
    _check_complete(path)


def test_wrong_bytes(server, url, path):
    server.files["/a.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(DataError, match=f"{url}: .*MD5.*{MD5}.*removed; run the comm"):
        fetch(url, MD5, path)
    assert os.listdir(os.path.dirname(path)) == []


def test_a_part_of_another_file(server, url, path):
    with open(f"{path}.part", "wb") as file:
        file.write(b"x" * 1000)
    with pytest.raises(DataError, match="MD5"):
        fetch(url, MD5, path)
    assert os.listdir(os.path.dirname(path)) == []
    fetch(url, MD5, path)
    _check_complete(path)


@pytest.mark.parametrize("status", [403, 404])
def test_a_file_that_the_server_lacks(server, url, path, status):
    server.status = status
    with pytest.raises(DataError, match=f"{url}: the server answered {status}.*moved"):
        fetch(url, MD5, path)
    assert len(server.requests) == 1


def test_a_server_in_trouble_is_asked_again(server, url, path):
    server.status = 503
    with pytest.raises(DataError, match=f"{url}: .*the server answered 503"):
        fetch(url, MD5, path)
    assert len(server.requests) == transfer._ATTEMPTS


def test_no_network(server, url, path):
    server.stop()
    with pytest.raises(DataError, match=f"{url}: no connection.*check the network"):
        fetch(url, MD5, path)


def test_a_connection_that_falls_silent(server, url, path, monkeypatch):
    monkeypatch.setattr(transfer, "_READ_SECONDS", 0.2)
    # The attempt that brings something ends it, be it the first or not.
    monkeypatch.setattr(transfer, "_ATTEMPTS", 0)
    server.fall_silent(CHUNK)
    with pytest.raises(DataError, match="no connection, or it was cut"):
        fetch(url, MD5, path)
    assert os.path.getsize(f"{path}.part") == CHUNK


def test_a_file_system_without_hard_links(server, url, path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    fetch(url, MD5, path)
    _check_complete(path)


def test_stopped_while_the_checksum_is_computed(server, url, path, monkeypatch):
    """Hours of transfer must not be lost in the last minute."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pooch.core.hash_matches", stop)
        with pytest.raises(KeyboardInterrupt):
            fetch(url, MD5, path)
    assert os.listdir(os.path.dirname(path)) == ["a.bin.part"]
    fetch(url, MD5, path)
    _check_complete(path)
    assert server.bytes_sent == len(CONTENT)
