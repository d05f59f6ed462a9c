"""Where a task of Label Studio's has its image: addresses of many kinds."""

import re
from reprlib import repr as shorten
from urllib.parse import parse_qs, unquote, urlsplit

from ehsod_tf.data.image_files import IMAGE_EXTENSIONS, is_plain_text
from ehsod_tf.data.readers.image_folder import FileIndex
from ehsod_tf.data.readers.label_studio_results import ResultError
from ehsod_tf.wording import count

# The folders of an upload are Label Studio's own.
_UPLOAD = re.compile("(?:^|/)upload/[0-9]+/([^/]+)$")

# Names that projects mostly give it.
_IMAGE_KEYS = ("image", "img", "$image")


def find_address(task: dict) -> str:
    """Returns the address of a task's image.

    Raises:
        ResultError: the task has none, or several.
    """
    data = task.get("data")
    if not isinstance(data, dict):
        raise ResultError("", "data", "is missing; export the project as 'JSON'")
    named = [data[key] for key in _IMAGE_KEYS if isinstance(data.get(key), str)]
    others = [
        value
        for value in data.values()
        if isinstance(value, str)
        and read_address(value).lower().endswith(IMAGE_EXTENSIONS)
    ]
    values = named[:1] or others
    if len(values) != 1 or not values[0].strip():
        raise ResultError(
            "",
            "data",
            f"holds {count(len(values), 'image')}; the task needs one, called 'image'",
        )
    if not is_plain_text(values[0]):
        raise ResultError(
            "", "data", f"{shorten(values[0])} holds a character that is not text"
        )
    return values[0].strip()


def read_address(reference: str) -> str:
    """Returns the path of an address; of a local file, what its ``?d=`` says."""
    try:
        parts = urlsplit(reference)
        local = parse_qs(parts.query).get("d")
    # A bracket that is never closed, taken for an IPv6 address.
    except ValueError:
        return reference
    if local:
        return local[0]
    is_address = parts.scheme and len(parts.scheme) > 1
    return unquote(parts.path) if is_address or parts.query else reference


def locate_image(reference: str, index: FileIndex) -> str | None:
    """Returns the file of an image folder that an address stands for."""
    address = read_address(reference)
    upload = _UPLOAD.search(address)
    return index.find_by_name(upload[1] if upload else address)
