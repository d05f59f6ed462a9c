"""One file over HTTP, going on where an earlier attempt stopped."""

import os
import time

import pooch
import requests
from tqdm import tqdm

from ehsod_tf.errors import DataError

# Of a chunk in which the connection breaks, nothing is kept.
_CHUNK_BYTES = 1 << 14
_CONNECT_SECONDS = 20
# Without a byte for so long, a connection counts as broken.
_READ_SECONDS = 60
# Attempts in a row that bring no new byte, and the pause between two of them.
_ATTEMPTS = 5
_PAUSE_SECONDS = 2.0


class _Interrupted(Exception):
    """The transfer stopped early; another attempt may go on."""


def fetch(url: str, md5: str, path: str) -> None:
    """Brings `url` to `path`, unless a file with this checksum is there already.

    What has arrived is kept in ``<path>.part`` until all of it is there and its
    checksum is right. A file whose checksum is wrong is removed.

    Raises:
        DataError: no connection, no such file on the server, or the wrong bytes.
    """
    part = f"{path}.part"

    def receive_into(url, output_file, _):
        receive(url, part)
        _link(part, output_file)

    pooch.get_logger().setLevel("WARNING")
    try:
        pooch.retrieve(
            url,
            known_hash=f"md5:{md5}",
            fname=os.path.basename(path),
            path=os.path.dirname(path),
            downloader=receive_into,
        )
    except ValueError as error:
        _remove(part)
        raise DataError(
            f"{url}: what arrived is not the file that was expected (MD5 other than "
            f"{md5}) and was removed; run the command again, and if it happens again, "
            "a proxy or the server gives another file"
        ) from error
    _remove(part)


def receive(url: str, part: str) -> None:
    """Brings `url` to `part`, behind the bytes that `part` holds already.

    Raises:
        DataError: five attempts in a row brought nothing new, or the server has no
            such file. `part` stays.
    """
    failures = 0
    most_bytes = _count_bytes(part)
    while True:
        try:
            return _receive_rest(url, part)
        except (requests.RequestException, _Interrupted) as error:
            failures = 0 if _count_bytes(part) > most_bytes else failures + 1
            most_bytes = max(most_bytes, _count_bytes(part))
            if failures == _ATTEMPTS:
                raise DataError(
                    f"{url}: no connection, or it was cut ({error}); check the "
                    "network and run the same command again: it goes on where it "
                    "stopped"
                ) from error
        time.sleep(_PAUSE_SECONDS)


def _receive_rest(url, part):
    offset = _count_bytes(part)
    # Bytes are counted: they must not be compressed on their way.
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
    with requests.get(
        url, headers=headers, stream=True, timeout=(_CONNECT_SECONDS, _READ_SECONDS)
    ) as response:
        content_range = response.headers.get("Content-Range", "")
        if response.status_code == 416 and content_range == f"bytes */{offset}":
            return  # All of it was there.
        if offset and response.status_code in (206, 416):
            if not content_range.startswith(f"bytes {offset}-"):
                os.remove(part)
                raise _Interrupted(f"the server has no bytes from {offset} on")
        elif response.status_code >= 500:
            raise _Interrupted(f"the server answered {response.status_code}")
        elif response.status_code != 200:
            raise DataError(
                f"{url}: the server answered {response.status_code} {response.reason};"
                " look whether the data set has moved"
            )
        else:
            # A server that knows nothing of ranges sends everything again.
            offset = 0
        _write_body(response, part, offset)


def _write_body(response, part, offset):
    length = response.headers.get("Content-Length")
    with (
        open(part, "ab" if offset else "wb") as file,
        tqdm(
            desc=os.path.basename(part).removesuffix(".part"),
            total=offset + int(length) if length else None,
            initial=offset,
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None,  # only on a terminal
        ) as bar,
    ):
        for chunk in response.iter_content(_CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))


def _link(part, output_file):
    """Gives `part` a second name, so that it stays until its checksum is known."""
    os.remove(output_file)
    try:
        os.link(part, output_file)
    except OSError:
        # A file system without hard links.
        os.replace(part, output_file)


def _count_bytes(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def _remove(path):
    if os.path.exists(path):
        os.remove(path)
