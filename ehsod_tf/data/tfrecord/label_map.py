"""Label maps of the TF Object Detection API: class names by id, as protobuf text."""

import os
from collections.abc import Mapping

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
)

from ehsod_tf.data.text_files import read_text
from ehsod_tf.errors import DataError

LABEL_MAP_FILE = "label_map.pbtxt"

_FIELD = descriptor_pb2.FieldDescriptorProto


def _make_message_class():
    """Declares the API's ``StringIntLabelMap``, which no package of ours provides."""
    file = descriptor_pb2.FileDescriptorProto(
        name="ehsod_tf/label_map.proto", package="ehsod_tf", syntax="proto2"
    )
    item = file.message_type.add(name="LabelMapItem")
    fields = {
        "name": _FIELD.TYPE_STRING,
        "id": _FIELD.TYPE_INT32,
        "display_name": _FIELD.TYPE_STRING,
    }
    for number, (name, kind) in enumerate(fields.items(), start=1):
        item.field.add(name=name, number=number, type=kind, label=_FIELD.LABEL_OPTIONAL)
    file.message_type.add(name="LabelMap").field.add(
        name="item",
        number=1,
        type=_FIELD.TYPE_MESSAGE,
        type_name=".ehsod_tf.LabelMapItem",
        label=_FIELD.LABEL_REPEATED,
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName("ehsod_tf.LabelMap")
    )


_LabelMap = _make_message_class()


def write_label_map(path: str | os.PathLike, names: Mapping[int, str]) -> None:
    """Writes class names by id."""
    label_map = _LabelMap()
    for label, name in names.items():
        label_map.item.add(id=label, name=name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text_format.MessageToString(label_map, as_utf8=True))


def read_label_map(path: str | os.PathLike) -> dict[int, str]:
    """Returns the class name of each id, in the order of the file.

    Where an item has a display name, it is taken before the name, which in COCO's own
    map is a code.

    Raises:
        DataError: the file is missing, is no label map, or an item lacks its own id or
            its own name.
    """
    if not os.path.exists(path):
        raise DataError(
            f"{path}: no label map can be read, for there is no such file; it must lie "
            "beside the TFRecord files"
        )
    text = read_text(os.fspath(path))
    try:
        items = text_format.Parse(text, _LabelMap(), allow_unknown_field=True).item
    except text_format.ParseError as error:
        raise DataError(
            f"{path}: no label map can be read ({error}); write it again"
        ) from error
    names: dict[int, str] = {}
    for number, item in enumerate(items, start=1):
        name = (item.display_name or item.name).strip()
        if item.id < 1 or item.id in names or not name or name in names.values():
            raise DataError(
                f"{path}, item {number}: id {item.id} and name {name!r} must be given, "
                "the id above 0, and both but once; correct them"
            )
        names[item.id] = name
    if not names:
        raise DataError(f"{path}: the label map is empty; write it again")
    return names
