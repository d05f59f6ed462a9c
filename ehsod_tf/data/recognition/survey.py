"""What a folder holds: its sources, and all that is passed over."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from ehsod_tf.data.recognition.folder_sources import (
    recognize_class_folders,
    recognize_records,
)
from ehsod_tf.data.recognition.image_places import ImageIndex
from ehsod_tf.data.recognition.json_outline import COCO_RESULTS, HIERARCHY
from ehsod_tf.data.recognition.json_sources import recognize_json
from ehsod_tf.data.recognition.listing import list_folder
from ehsod_tf.data.recognition.source import FolderSource
from ehsod_tf.data.recognition.table_sources import recognize_tables
from ehsod_tf.data.recognition.tool_sources import recognize_xml
from ehsod_tf.data.recognition.voc_sources import recognize_voc
from ehsod_tf.data.recognition.yolo_sources import is_label_file, recognize_yolo
from ehsod_tf.wording import count


class Survey(NamedTuple):
    """A folder, looked at.

    Attributes:
        root: the folder.
        sources: what can be read, by path.
        passed_over: paths of what is not, by a word for why.
        index: the images.
    """

    root: str
    sources: list[FolderSource]
    passed_over: dict[str, list[str]]
    index: ImageIndex


def survey_folder(root: str | os.PathLike) -> Survey:
    """Looks at the names in a folder and at the beginnings of files.

    Raises:
        DataError: the folder is missing or cannot be read.
    """
    listing = list_folder(root)
    index = ImageIndex(listing.root, listing.images)
    sources, passed_over = [], dict(listing.others)
    of_json, others_of_json = recognize_json(listing, index)
    hierarchies = others_of_json.get(HIERARCHY, [])
    of_tables, others_of_tables = recognize_tables(listing, index, hierarchies)
    if any("hierarchy_json" in source.arguments for source in of_tables):
        del others_of_json[HIERARCHY]
    of_voc, lists_of_classes = recognize_voc(listing)
    devkits = [claim for source in of_voc for claim in _list_claims(source)]
    for found, others in (
        (of_voc, lists_of_classes),
        recognize_xml(listing, index, devkits),
        (of_json, others_of_json),
        (of_tables, others_of_tables),
        (recognize_yolo(listing), {}),
        (recognize_records(listing), {}),
    ):
        sources += found
        for reason, paths in others.items():
            passed_over.setdefault(reason, []).extend(paths)
    claims = [claim for source in sources for claim in _list_claims(source)]
    sources += recognize_class_folders(
        index, lambda folder: folder.startswith(tuple(claims))
    )
    _pass_over_rest(listing.documents, sources, passed_over)
    free = _list_free_images(index, sources)
    if free:
        passed_over["images that no source has"] = free
    sources.sort(key=lambda source: source.path)
    return Survey(listing.root, sources, passed_over, index)


def _list_claims(source: FolderSource) -> tuple[str, ...]:
    """The folders whose images belong to a source, whichever it names."""
    if source.reader == "read_voc":
        # Masks of segmentation lie beside the images.
        return (source.image_dirs[0].removesuffix("JPEGImages/"),)
    return tuple(f"{folder}{source.below}" for folder in source.image_dirs)


def _pass_over_rest(
    documents: dict[str, list[str]],
    sources: Sequence[FolderSource],
    passed_over: dict[str, list[str]],
) -> None:
    """Notes the text and YAML files that belong to no source."""
    devkits = tuple(_list_claims(s)[0] for s in sources if s.reader == "read_voc")
    known = {source.path for source in sources}
    known |= {value for source in sources for value in source.arguments.values()}
    known |= {path for paths in passed_over.values() for path in paths}
    has_yolo = any(source.reader == "read_yolo" for source in sources)
    for kind, name in (("txt", "text files"), ("yaml", "YAML")):
        rest = [p for p in documents[kind] if p not in known]
        rest = [p for p in rest if not (devkits and p.startswith(devkits))]
        if has_yolo:
            rest = [p for p in rest if not is_label_file(p)]
        if rest:
            passed_over[f"{name} of no form that is known"] = rest


def _list_free_images(index: ImageIndex, sources: Sequence[FolderSource]) -> list[str]:
    claims = tuple(claim for s in sources for claim in _list_claims(s))
    return [path for path in index.images if not path.startswith(claims)]


def format_survey(survey: Survey) -> str:
    """What was recognised and why, and what was passed over, a line each."""
    lines = [f"{survey.root}: {count(len(survey.index.images), 'image')}"]
    lines += [f"  {describe_source(s, survey.index)}" for s in survey.sources]
    if not survey.sources:
        lines.append("  nothing that can be read was recognised")
    # A flag may take them, and what it says follows.
    lines += [
        f"  {path}: {COCO_RESULTS}" for path in survey.passed_over.get(COCO_RESULTS, [])
    ]
    for reason, paths in sorted(survey.passed_over.items()):
        if reason == COCO_RESULTS:
            continue
        number = f"{len(paths):,} " if len(paths) > 1 else ""
        first = "first: " if len(paths) > 1 else ""
        lines.append(f"  passed over: {number}{reason} ({first}{paths[0]!r})")
    return "\n".join(lines)


def describe_unread(
    survey: Survey, sources: Sequence[FolderSource], read: Sequence[str]
) -> str:
    """Says how many images of the sources' folders were not read; "" for none.

    Args:
        survey: the folder.
        sources: those that are used.
        read: paths of the images that they gave.
    """
    # The same picture in several folders of classes is one image.
    sources = [s for s in sources if s.reader != "read_class_folders"]
    claims = tuple(f"{folder}{s.below}" for s in sources for folder in s.image_dirs)
    known = {os.path.relpath(path, survey.root).replace(os.sep, "/") for path in read}
    rest = [p for p in survey.index.images if p.startswith(claims) and p not in known]
    if not rest:
        return ""
    return (
        f"passed over: {len(rest):,} of the images, as these sources say nothing of "
        f"them, or nothing sound (first: {rest[0]!r})"
    )


def describe_source(source: FolderSource, index: ImageIndex) -> str:
    """One source: its path, form, images, and what it gives."""
    parts = [source.form]
    if source.class_names:
        parts.append(_list_classes(source.class_names))
    if source.detail:
        parts.append(source.detail)
    if len(source.image_dirs) == 1:
        folder = f"{source.image_dirs[0]}{source.below}"
        place = f" in {folder}" if folder else ""
        parts.append(f"{count(index.count_below(folder), 'image')}{place}")
    elif source.image_dirs:
        parts.append(f"images in {' or '.join(d or './' for d in source.image_dirs)}")
    parts.append(" and ".join(source.gives) or "neither boxes nor labels")
    role = f" for {source.role}" if source.role else ""
    return f"{source.path}: {', '.join(parts)}{role}"


def _list_classes(names: Sequence[str]) -> str:
    shown = f"{', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"
    return f"{count(len(names), 'class', 'classes')} ({shown})"
