"""Which sources of a folder train and which validate; questions, never guesses."""

import os
from collections.abc import Sequence
from typing import NamedTuple

from ehsod_tf.data.recognition.json_outline import COCO_RESULTS
from ehsod_tf.data.recognition.questions import (
    ask_about_class_folders,
    refuse_idle_answers,
    require_different_images,
    settle_images,
)
from ehsod_tf.data.recognition.source import (
    BOXES,
    JOINED,
    TEST,
    TRAINING,
    VALIDATION,
    FolderSource,
)
from ehsod_tf.data.recognition.source_classes import settle_classes
from ehsod_tf.data.recognition.survey import Survey
from ehsod_tf.data.spelling import suggest
from ehsod_tf.errors import ConfigError, DataError

DEFAULT_HELD_OUT = 20.0
_ATTRIBUTES = ("class_attribute", "label_attribute")
# Answers that only some forms ask for.
_OF_FORMS = ("images", "unannotated", "unlisted", "occluded", *_ATTRIBUTES)


class FolderChoices(NamedTuple):
    """A user's answers; each is the flag of its name.

    Attributes:
        use: paths of the only sources to be taken; () for all.
        validation: path of the source to evaluate on.
        hold_out: share of the boxed training images, in percent, to evaluate on.
        machine_boxes: path of a detector's scored boxes to train on too.
        images: the folder that image names are relative to.
        classes: class names; () for those of the sources.
        unannotated, unlisted, occluded, class_attribute, label_attribute: as of the
            readers.
        boxed: what the boxes of the training sources are, see `read_mixture`.
    """

    use: tuple[str, ...] = ()
    validation: str | None = None
    hold_out: float | None = None
    machine_boxes: str | None = None
    images: str | None = None
    classes: tuple[str, ...] = ()
    unannotated: str = "leave_out"
    unlisted: str = "absent"
    occluded: str = "objects"
    class_attribute: str | None = None
    label_attribute: str | None = None
    boxed: str | tuple[str, ...] = "all"


class FolderPlan(NamedTuple):
    """What is to be read of a folder.

    Attributes:
        root: the folder.
        training: sources; those with boxes come first.
        validation: sources with boxes; () to hold out a share of the training images.
        held_out: that share in percent; None with a validation set.
        machine_boxes: path of a detector's boxes below the folder, or None.
        class_names: of all sources; () for those of the first.
        own_classes: of each training source, see `read_mixture`.
        choices: what the user said.
        remarks: what was decided, and why, a sentence each.
    """

    root: str
    training: tuple[FolderSource, ...]
    validation: tuple[FolderSource, ...]
    held_out: float | None
    machine_boxes: str | None
    class_names: tuple[str, ...]
    own_classes: tuple[tuple[str, ...] | None, ...]
    choices: FolderChoices
    remarks: tuple[str, ...]


def plan_folder(survey: Survey, choices: FolderChoices) -> FolderPlan:
    """Decides what is read for what.

    Raises:
        ConfigError: there are several ways to read the folder; the message names them
            and the flag that chooses.
        DataError: nothing in the folder can be trained on, or the classes of several
            sources cannot be read.
    """
    if not survey.sources:
        raise DataError(
            f"{survey.root}: no annotation of a form that is known was found; name the "
            "files by a config, see docs/data.md"
        )
    sources = _select(survey, choices)
    remarks: list[str] = []
    validation = _choose_validation(survey, sources, choices, remarks)
    training = _choose_training(survey, sources, validation, remarks)
    if not choices.use:
        ask_about_class_folders(survey, training)
        for chosen in (training, validation):
            require_different_images(survey, chosen)
    training = [_settle(survey, source, choices, _ATTRIBUTES) for source in training]
    # What is evaluated on has boxes, and need not have labels.
    validation = [
        _settle(survey, source, choices, ("class_attribute",)) for source in validation
    ]
    defaults = FolderChoices()
    given = [n for n in _OF_FORMS if getattr(choices, n) != getattr(defaults, n)]
    refuse_idle_answers(survey, [*training, *validation], given)
    held_out = None
    if not validation:
        held_out = DEFAULT_HELD_OUT if choices.hold_out is None else choices.hold_out
        remarks.append(
            f"validation: {held_out:g} percent of the boxed images are held out, by a "
            "draw with seed 0 (--hold_out PERCENT changes the share)"
        )
    machine_boxes = _find_machine_boxes(survey, choices, remarks)
    class_names, own_classes = choices.classes, (None,) * len(training)
    if not class_names:
        class_names, own_classes = settle_classes(survey.root, training, remarks)
    return FolderPlan(
        survey.root,
        tuple(training),
        tuple(validation),
        held_out,
        machine_boxes,
        class_names,
        own_classes,
        choices,
        tuple(remarks),
    )


def _select(survey: Survey, choices: FolderChoices) -> list[FolderSource]:
    """The sources that --use and --validation name, or else all."""
    if not choices.use:
        return survey.sources
    return [_find_source(survey, path, "--use") for path in choices.use]


def _find_source(survey: Survey, path: str, flag: str) -> FolderSource:
    by_path = {source.path.rstrip("/"): source for source in survey.sources}
    wanted = _find_below(survey.root, path).rstrip("/")
    if wanted not in by_path:
        raise ConfigError(
            f"{flag} {path}: no source of this path was recognised; "
            f"{suggest(wanted, by_path)}"
        )
    return by_path[wanted]


def _find_below(root: str, path: str) -> str:
    """A path that may be given from here or from the folder, as one below the folder.

    A folder elsewhere keeps its absolute path.
    """
    inner = os.path.join(root, path)
    outer = os.path.abspath(path)
    if not os.path.exists(inner) and os.path.exists(outer):
        inner = outer
    relative = os.path.relpath(os.path.abspath(inner), os.path.abspath(root))
    if relative.split(os.sep)[0] == os.pardir:
        return outer
    relative = relative.replace(os.sep, "/")
    return "." if relative == "." else relative


def _choose_validation(
    survey: Survey,
    sources: Sequence[FolderSource],
    choices: FolderChoices,
    remarks: list[str],
) -> list[FolderSource]:
    """The validation set: as asked, or what is there; [] to hold images out."""
    if choices.hold_out is not None:
        if choices.validation:
            raise ConfigError("give either --validation or --hold_out, not both")
        # Written so that NaN fails too.
        if not 0 < choices.hold_out < 100:
            raise ConfigError(
                f"--hold_out {choices.hold_out:g}: give a share in percent, above 0 "
                "and below 100"
            )
        return []
    if choices.validation:
        source = _find_source(survey, choices.validation, "--validation")
        _require_boxes(source, survey.root)
        return [source]
    for role in (VALIDATION, TEST):
        found = [s for s in sources if s.role == role]
        boxed = [s for s in found if BOXES in s.gives]
        for source in found:
            if source not in boxed:
                remarks.append(
                    f"{source.path} is not used: an evaluation needs boxes on every "
                    "image, and it has labels alone"
                )
        if boxed:
            names = ", ".join(s.path for s in boxed)
            reason = "" if role == VALIDATION else ", as there is no validation set"
            remarks.append(f"validation: {names}{reason}")
            return boxed
    return []


def _require_boxes(source: FolderSource, root: str) -> None:
    if BOXES not in source.gives:
        raise ConfigError(
            f"--validation {source.path}: an evaluation needs boxes on every image, "
            "and this source has labels alone"
        )


def _choose_training(
    survey: Survey,
    sources: Sequence[FolderSource],
    validation: Sequence[FolderSource],
    remarks: list[str],
) -> list[FolderSource]:
    free = [s for s in sources if s not in validation]
    chosen = [s for s in free if s.role in (TRAINING, "")]
    joined = [s for s in free if s.role == JOINED]
    if any(s.role == TRAINING and BOXES in s.gives for s in chosen):
        remarks += [
            f"{s.path} is not used: it joins training and validation" for s in joined
        ]
    else:
        chosen += joined
    rest = [s for s in free if s not in chosen and s.role in (VALIDATION, TEST)]
    # Of those with labels alone, it is said why.
    rest = [s for s in rest if BOXES in s.gives]
    remarks += [f"{s.path} is not used: it is for {s.role}" for s in rest]
    if not chosen:
        names = ", ".join(f"{s.path} ({s.role})" for s in sources)
        raise DataError(
            f"{survey.root}: nothing in it is for training: {names}; give one of them "
            "another name or place, or name the files by a config"
        )
    # The classes of the first source are those of all.
    return sorted(chosen, key=lambda s: BOXES not in s.gives)


def _settle(
    survey: Survey,
    source: FolderSource,
    choices: FolderChoices,
    attributes: Sequence[str],
) -> FolderSource:
    """A source with its folder, and of the attributes those that the user named."""
    place = _find_below(survey.root, choices.images) if choices.images else None
    source = settle_images(survey, source, place)
    named = {
        name: getattr(choices, name)
        for name in attributes
        if name in source.takes and getattr(choices, name) is not None
    }
    source = source._replace(arguments=source.arguments | named)
    others = [s for s in survey.sources if s.path != source.path]
    shared = {folder for other in others for folder in other.image_dirs}
    if source.reader == "read_box_csv" and not shared.isdisjoint(source.image_dirs):
        # Images that a table does not name are then another source's, and not empty.
        takes = tuple(name for name in source.takes if name != "unannotated")
        source = source._replace(takes=takes)
    return source


def _find_machine_boxes(
    survey: Survey, choices: FolderChoices, remarks: list[str]
) -> str | None:
    """A detector's boxes, which are never taken unless a flag says so."""
    known = survey.passed_over.get(COCO_RESULTS, [])
    if choices.machine_boxes is None:
        if known:
            remarks.append(
                f"{known[0]} is not used: scored boxes are a detector's "
                "(--machine_boxes PATH takes what the labels confirm)"
            )
        return None
    path = _find_below(survey.root, choices.machine_boxes)
    if path not in known:
        raise ConfigError(
            f"--machine_boxes {choices.machine_boxes}: no scored boxes in COCO's "
            f"results form were recognised there; {suggest(path, known)}"
        )
    remarks.append(f"{path}: of a detector's boxes, those that the labels confirm")
    return path
