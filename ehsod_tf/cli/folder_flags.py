"""FOLDER, and the flags that answer what a folder leaves open."""

import argparse
from collections.abc import Sequence
from typing import NamedTuple

from ehsod_tf.cli.unused_flags import compare_flags, refuse_unused

BACKBONES = ("resnet50", "efficientnet_lite")


class FolderFlags(NamedTuple):
    """What the user said about a folder; see `add_folder_arguments`."""

    folder: str | None
    use: list[str]
    validation: str | None
    hold_out: float | None
    machine_boxes: str | None
    backbone: str | None
    write_config: str | None
    images: str | None
    classes: str | None
    unannotated: str
    unlisted: str
    occluded: str
    class_attribute: str | None
    label_attribute: str | None
    boxed: str


def add_folder_arguments(group) -> None:
    """Adds the flags of a folder to a parser or a group of one."""
    group.add_argument("folder", nargs="?", metavar="FOLDER", help="images and more")
    group.add_argument(
        "--use",
        action="append",
        default=[],
        help="of FOLDER, take this source and no others; may be repeated",
    )
    group.add_argument("--validation", help="the source of FOLDER to evaluate on")
    group.add_argument(
        "--hold_out", type=float, help="percent of FOLDER's images to evaluate on"
    )
    group.add_argument(
        "--machine_boxes",
        help="a detector's scored boxes in FOLDER, to train on what the labels confirm",
    )
    group.add_argument(
        "--backbone", choices=BACKBONES, help="of the config that FOLDER gives"
    )
    group.add_argument("--write_config", help="where the config of FOLDER is written")
    group.add_argument("--images", help="the folder that file names are relative to")
    group.add_argument("--classes", help="names, with commas; default: all")
    group.add_argument(
        "--unannotated",
        choices=("leave_out", "empty"),
        default="leave_out",
        help="what images without any annotation are",
    )
    group.add_argument(
        "--unlisted",
        choices=("absent", "unknown"),
        default="absent",
        help="what classes are that an image's label list does not name",
    )
    group.add_argument(
        "--occluded",
        choices=("objects", "ignored"),
        default="objects",
        help="what CVAT's objects are that are marked as partly hidden",
    )
    group.add_argument(
        "--class_attribute",
        help="the attribute of VGG Image Annotator's regions that names their class",
    )
    group.add_argument(
        "--label_attribute",
        help="the attribute of its files that holds the labels of the image",
    )
    group.add_argument(
        "--boxed",
        default="all",
        help="'in part' if not every object of a boxed image has a box; or the "
        "classes that are boxed completely, with commas",
    )


def take_folder_flags(arguments: dict) -> FolderFlags:
    """The flags of a folder among the parsed arguments, which keep them."""
    return FolderFlags(**{name: arguments[name] for name in FolderFlags._fields})


def refuse_folder_flags(flags: FolderFlags) -> None:
    """Raises a `ConfigError` if one was given although a config stands for a folder."""
    parser = argparse.ArgumentParser()
    add_folder_arguments(parser)
    defaults = take_folder_flags(vars(parser.parse_args([])))
    refuse_unused(
        compare_flags(flags, defaults, FolderFlags._fields),
        "with --config; say it in the config, or by --gin_bindings",
    )


def write_config(flags: FolderFlags, path: str, bindings: Sequence[str]) -> str:
    """Writes the config of a folder, to where the flags say or else to `path`.

    Returns:
        Where it is.
    """
    from ehsod_tf import api, data

    path = flags.write_config or path
    boxed = flags.boxed
    if boxed not in ("all", "in part"):
        boxed = tuple(boxed.split(","))
    choices = data.FolderChoices(
        use=tuple(flags.use),
        validation=flags.validation,
        hold_out=flags.hold_out,
        machine_boxes=flags.machine_boxes,
        images=flags.images,
        classes=tuple(flags.classes.split(",")) if flags.classes else (),
        unannotated=flags.unannotated,
        unlisted=flags.unlisted,
        occluded=flags.occluded,
        class_attribute=flags.class_attribute,
        label_attribute=flags.label_attribute,
        boxed=boxed,
    )
    return api.write_folder_config(
        flags.folder,
        path,
        choices=choices,
        backbone=flags.backbone,
        bindings=bindings,
    )


def announce_config(path: str) -> None:
    """Says where the config of a folder is."""
    print(f"{path}: the config that does this, to be kept and edited", flush=True)
