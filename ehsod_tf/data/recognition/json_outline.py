"""Which form a JSON file is of, told by the keys at its beginning."""

import json
import mmap
import re
from typing import NamedTuple

from ehsod_tf.data.readers.via import IMAGES_KEY

HEAD_BYTES = 1 << 16
_NUM_SAMPLES = 40

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*+"|[{}\[\],:]|[^\s{}\[\],:"]+')
_FILE_NAME = re.compile(r'"file_name"\s*:\s*("(?:[^"\\]|\\.)*")')
# LVIS has addresses alone, whose ends are "train2017/000000391895.jpg".
_COCO_URL = re.compile(r'"coco_url"\s*:\s*"[^"]*?([^"/]+/[^"/]+)"')

COCO = "COCO instances"
LVIS = "LVIS"
COCO_RESULTS = "scored boxes (COCO results)"
LABELME = "LabelMe"
LABEL_STUDIO = "Label Studio"
VIA = "VGG Image Annotator"
CAPTIONS = "COCO captions"
HIERARCHY = "a hierarchy of classes"
SPLIT = "a split of ehsod"
UNKNOWN_FORM = "JSON of no form that is known"
NOT_JSON = "not JSON"

# The first form of which one set of keys is there; "[]" stands for the items of a list.
_SIGNS = (
    (CAPTIONS, ["annotations.[].caption"]),
    (LVIS, ["images.[].neg_category_ids"]),
    (LVIS, ["images.[].not_exhaustive_category_ids"]),
    (COCO, ["annotations.[].image_id", "annotations.[].bbox"]),
    (COCO, ["annotations.[].image_id", "annotations.[].category_id"]),
    (COCO, ["images.[].file_name"]),
    (COCO_RESULTS, ["[].image_id", "[].bbox", "[].score"]),
    (LABELME, ["shapes", "imagePath"]),
    (VIA, [IMAGES_KEY]),
    (LABEL_STUDIO, ["[].data", "[].annotations"]),
    (LABEL_STUDIO, ["[].data", "[].predictions"]),
    (HIERARCHY, ["LabelName", "Subcategory.[].LabelName"]),
    (SPLIT, ["strong_image_ids"]),
)


class JsonHead(NamedTuple):
    """What the beginning of a JSON file tells.

    Attributes:
        form: one of the constants above.
        keys: the paths of the keys, such as "images.[].file_name".
        file_names: some of the image names, for COCO's forms.
        has_boxes: whether it has boxes, for COCO's forms.
    """

    form: str
    keys: frozenset[str]
    file_names: tuple[str, ...] = ()
    has_boxes: bool = True


def read_json_head(path: str) -> JsonHead:
    """Reads the beginning of a JSON file, and of COCO's forms the first image names.

    A file that cannot be read gives `NOT_JSON`: a reader would say more.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES).decode("utf-8-sig", "replace")
            keys = list_keys(head)
            form = _find_form(keys, head)
            if form not in (COCO, LVIS):
                return JsonHead(form, keys)
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _look_into_coco(form, keys, content)
    except (OSError, ValueError):
        return JsonHead(NOT_JSON, frozenset())


def read_category_names(path: str) -> list[str] | None:
    """The names of a COCO file's categories; None where they are not found."""
    try:
        with open(path, "rb") as file:
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
                # Tools write them last or first, so that little is looked through.
                start = content.find(b'"categories"', 0, 1 << 20)
                start = start if start >= 0 else content.rfind(b'"categories"')
                start = content.find(b"[", start) if start >= 0 else -1
                text = content[start : start + (1 << 23)].decode("utf-8", "replace")
        records, _ = json.JSONDecoder().raw_decode(text)
        return [record["name"].strip() for record in records]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def list_keys(text: str) -> frozenset[str]:
    """The paths of the keys in a piece of JSON, from its beginning, down to depth 4."""
    found, path = set(), []
    last = None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token in "{[":
            path.append("[]" if token == "[" else None)
        elif token in "}]":
            if path:
                path.pop()
        elif token == ":":
            if path and path[-1] != "[]" and last and last[0] == '"':
                path[-1] = last[1:-1]
                if len(path) <= 4:
                    found.add(".".join(filter(None, path)))
        last = token
    return frozenset(found)


def _find_form(keys: frozenset[str], head: str) -> str:
    if head.lstrip()[:1] not in ("{", "["):
        return NOT_JSON
    for form, signs in _SIGNS:
        if keys.issuperset(signs):
            return form
    # The keys of its exported annotations are names of images.
    ends = {key.rpartition(".")[2] for key in keys if "." in key}
    return VIA if ends >= {"filename", "size", "regions"} else UNKNOWN_FORM


def _look_into_coco(form: str, keys: frozenset[str], content: mmap.mmap) -> JsonHead:
    names = []
    for match in _FILE_NAME.finditer(_read_from(content, b'"file_name"')):
        names.append(json.loads(match[1]))
        if len(names) == _NUM_SAMPLES:
            break
    if form == LVIS and not names:
        names = _COCO_URL.findall(_read_from(content, b'"coco_url"'))[:_NUM_SAMPLES]
    annotations = _read_from(content, b'"annotations"')
    has_boxes = '"bbox"' in annotations
    if '"caption"' in annotations and not has_boxes:
        form = CAPTIONS
    return JsonHead(form, keys, tuple(names), has_boxes)


def _read_from(content: mmap.mmap, mark: bytes) -> str:
    """The text from the first place of `mark` on; reads no further than needed."""
    start = content.find(mark)
    text = content[start : start + HEAD_BYTES] if start >= 0 else b""
    return text.decode("utf-8", "replace")
