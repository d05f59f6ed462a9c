"""Training images that the evaluation set holds too."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from ehsod_tf.data import read_coco, validate
from ehsod_tf.data.checks.leakage import leave_out_shared_images
from malformed.case import Case, write_images
from malformed.coco_cases import SOUND

EVALUATION = json.dumps(
    {
        **SOUND,
        "images": [{**SOUND["images"][0], "file_name": "val/d.png"}],
        "annotations": SOUND["annotations"][:1],
    }
)
SAME = ", image 12: the evaluation set holds the same image, .*{}; remove it from one"


def read(folder, findings):
    training_set, evaluation_set = (
        validate(read_coco(folder / file, folder / "images"))
        for file in ("train.json", "val.json")
    )
    return leave_out_shared_images(training_set, evaluation_set, findings=findings)


def case(name: str, share: Callable[[Path], None], says: str, **expected) -> Case:
    """Makes a row from what is done to sets that share no image."""

    def write(folder: Path) -> None:
        images = folder / "images"
        write_images(images, ("a.png", "b.png", "c.png", "val/d.png"))
        (folder / "train.json").write_text(json.dumps(SOUND))
        (folder / "val.json").write_text(EVALUATION)
        share(images)

    return Case(f"leakage: {name}", write, read, "b.png", says, **expected)


def list_file(name: str) -> Callable[[Path], None]:
    """Returns what makes the evaluation set name a training file."""

    def write(images: Path) -> None:
        content = EVALUATION.replace("val/d.png", name)
        (images.parent / "val.json").write_text(content)

    return write


def link(images: Path) -> None:
    (images / "b.png").unlink()
    (images / "b.png").symlink_to("val/d.png")


def copy(images: Path, names: tuple[str, ...] = ("b.png",)) -> None:
    for name in names:
        shutil.copy(images / "val" / "d.png", images / name)


def copy_under_its_name(images: Path) -> None:
    copy(images, ("val/b.png", "b.png"))
    list_file("val/b.png")(images)


CASES = [
    case("one file in both lists", list_file("b.png"), SAME.format("images/b.png")),
    case(
        "one file in another spelling",
        list_file("val/../b.png"),
        SAME.format("b.png"),
    ),
    case("same bytes under another name", copy, SAME.format("val/d.png")),
    case("same bytes and name", copy_under_its_name, SAME.format("val/b.png")),
    case("symbolic link", link, SAME.format("val/d.png")),
    case(
        "two copies",
        lambda images: copy(images, ("a.png", "b.png")),
        SAME.format("val/d.png"),
        kept=("c.png",),
        num_problems=2,
    ),
    Case(
        "leakage: all images",
        case("", lambda images: copy(images, ("a.png", "b.png", "c.png")), "").write,
        read,
        "images",
        "all 3 training images are in the evaluation set too|3 problems",
        kept=None,
    ),
]
