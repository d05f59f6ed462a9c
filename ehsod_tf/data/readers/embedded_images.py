"""Images that lie in an annotation file alone, as text in base 64."""

import base64
import hashlib
import io
import os
import re

from PIL import Image

from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings
from ehsod_tf.files import open_new
from ehsod_tf.wording import count

# The digits are of the bytes, so that no image takes the place of another.
_UNPACKED = re.compile(r".*\.embedded-[0-9a-f]{8}\.\w+", re.DOTALL)


def is_unpacked(name: str) -> bool:
    """Whether a file is of an embedded image: it belongs to no other annotation."""
    return _UNPACKED.fullmatch(name) is not None


class EmbeddedImages:
    """Writes embedded images into a folder; without one, each is a problem.

    An image that was written by an earlier reading is left alone.
    """

    def __init__(self, folder: str | os.PathLike | None, findings: Findings):
        self._folder = None if folder is None else os.fspath(folder)
        self._findings = findings
        self._taken: list[str] = []

    def unpack(self, data: object, stem: str, source: str) -> str | None:
        """Returns the path of the image; None, and a problem, if there cannot be one.

        Args:
            data: the image's bytes in base 64.
            stem: of the file to write, relative to the folder.
            source: path of the JSON file.
        """
        if self._folder is None:
            message = (
                "the image has no file but is embedded; name a folder to unpack it"
            )
            message += " to: unpack_dir, or --images"
            self._findings.add(source, "", "imageData", message)
            return None
        try:
            content = base64.b64decode(data, validate=True)
            with Image.open(io.BytesIO(content)) as image:
                kind = image.format
        # Not base 64; no image. Pillow promises OSError, but lets others through.
        except Exception:
            kind = None
        if kind is None:
            message = "is not an image in base 64; remove it and add the image's file"
            self._findings.add(source, "", "imageData", message)
            return None
        digits = hashlib.sha256(content).hexdigest()[:8]
        name = f"{stem}.embedded-{digits}.{kind.lower()}"
        path = os.path.join(self._folder, name)
        self._taken.append(path)
        if not os.path.exists(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open_new(path, "wb") as file:
                file.write(content)
        return path

    def note(self, source: str) -> None:
        """Notes how many images are embedded."""
        if self._taken:
            self._findings.note(
                f"{source}: {count(len(self._taken), 'embedded image')} unpacked "
                f"to {self._folder} ({name_first(self._taken)})"
            )
