"""What a folder leaves open: questions that end a command and name the flag."""

from collections.abc import Sequence

from ehsod_tf.data.recognition.source import BOXES, FolderSource
from ehsod_tf.data.recognition.survey import Survey
from ehsod_tf.errors import ConfigError


def ask_about_class_folders(survey: Survey, sources: Sequence[FolderSource]) -> None:
    """Asks whether folders beside an annotation stand for classes."""
    known = {n for s in sources if BOXES in s.gives for n in s.class_names}
    for source in sources:
        is_folders = source.reader == "read_class_folders"
        if is_folders and len(sources) > 1 and not known.issuperset(source.class_names):
            others = [s.path for s in sources if s is not source]
            flags = " ".join(f"--use {path}" for path in others)
            raise ConfigError(
                f"{survey.root}: the folders in {source.path} may be classes "
                f"({', '.join(source.class_names[:5])}), but are none of the other "
                f"sources'; leave them out with {flags}, or take them with a further "
                f"--use {source.path}"
            )


def require_different_images(survey: Survey, sources: Sequence[FolderSource]) -> None:
    """Asks which to take where two sources may have boxes of the same images."""
    boxed = [s for s in sources if BOXES in s.gives and len(s.image_dirs) == 1]
    for position, first in enumerate(boxed):
        for second in boxed[position + 1 :]:
            places = [f"{s.image_dirs[0]}{s.below}" for s in (first, second)]
            if survey.index.share_images(*places):
                raise ConfigError(
                    f"{survey.root}: {first.path} ({first.form}) and {second.path} "
                    f"({second.form}) both seem to have boxes of the same images; "
                    f"choose with --use {first.path} or --use {second.path}, or give "
                    "both flags if they have boxes of different images"
                )


def refuse_idle_answers(
    survey: Survey, sources: Sequence[FolderSource], given: Sequence[str]
) -> None:
    """Refuses answers to questions that no source asks.

    Args:
        survey: the folder.
        sources: all that are used.
        given: names of the flags.
    """
    taken = {name for source in sources for name in source.takes}
    if taken & {"image_dir", "unpack_dir"}:
        taken.add("images")
    idle = [f"--{name}" for name in given if name not in taken]
    if idle:
        names = ", ".join(f"{s.path} ({s.form})" for s in sources)
        raise ConfigError(
            f"{survey.root}: {', '.join(idle)} would do nothing, as no source that is "
            f"used asks for it: {names}; leave it out"
        )


def settle_images(
    survey: Survey, source: FolderSource, place: str | None
) -> FolderSource:
    """Fills in the folder of a source's images; a question if several fit."""
    if place is not None and "unpack_dir" in source.takes:
        return source._replace(arguments=source.arguments | {"unpack_dir": place})
    if "image_dir" not in source.takes:
        return source
    if place is None and len(source.image_dirs) != 1:
        raise ConfigError(f"{survey.root}: {_ask_for_images(source)}")
    folder = source.image_dirs[0] if place is None else f"{place}/".removeprefix("./")
    arguments = source.arguments | {"image_dir": folder.rstrip("/") or "."}
    if folder.startswith("/"):
        arguments["image_dir"] = folder.rstrip("/")
    return source._replace(arguments=arguments, image_dirs=(folder,))


def _ask_for_images(source: FolderSource) -> str:
    if source.image_dirs:
        places = " or ".join(f"--images {d or './'}" for d in source.image_dirs)
        return (
            f"the images that {source.path} names are in several folders; choose with "
            f"{places}"
        )
    if source.reader == "read_tfrecords":
        return (
            f"say where the images of {source.path} are to be unpacked, with --images "
            "FOLDER"
        )
    return (
        f"none of the images that {source.path} names was found; say where they are "
        "with --images FOLDER"
    )
