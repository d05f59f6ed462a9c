"""Reader of VOC's XML files without a devkit, as labelImg and many tools write them."""

import os
from collections.abc import Sequence

from ehsod_tf.data import label_states
from ehsod_tf.data.image_files import IMAGE_EXTENSIONS
from ehsod_tf.data.label_states import name_first
from ehsod_tf.data.problems import Findings, collects_or_raises
from ehsod_tf.data.readers.annotated_images import (
    AnnotatedImage,
    NamedBox,
    assemble_annotated_images,
    list_bare_images,
)
from ehsod_tf.data.readers.image_folder import (
    FileIndex,
    list_files,
    list_image_files,
    split_path,
)
from ehsod_tf.data.readers.voc import note_unspecified
from ehsod_tf.data.readers.voc_annotation import (
    VocAnnotation,
    read_annotation,
    refuse_blank_class,
)
from ehsod_tf.errors import DataError
from ehsod_tf.structures import ImageSet
from ehsod_tf.wording import count

_ANNOTATION_FOLDERS = ("annotations", "annotation", "xml", "labels")
_IMAGE_FOLDERS = ("images", "jpegimages", "image")


@collects_or_raises
def read_voc_xml(
    data_dir: str | os.PathLike,
    *,
    class_names: tuple[str, ...] | None = None,
    unannotated: str = "leave_out",
    findings: Findings,
) -> ImageSet:
    """Reads XML files and images side by side, or in two folders beside each other.

    Args:
        data_dir: a folder with images and XML files at any depth; or with a folder
            ``annotations`` for the one and ``images`` (or VOC's own
            ``Annotations`` and ``JPEGImages``) for the other, in capitals or not.
        class_names: selects and orders the classes. None takes all, by name.
        unannotated: what an image is that has no XML file: "leave_out", or "empty", a
            strong image that shows no object, as one with an XML file without objects.
        findings: takes the problems and notes; None raises and warns instead.

    Returns:
        `ImageSet` of the sound images, all strong; difficult objects are `ignored`. Ids
        are made of the names. A size that an annotation does not give is the file's.

    Raises:
        DataError: there is no XML file, or a class name is unknown; without `findings`,
            also any problem of a single file.
        ConfigError: `unannotated` is neither of the two.
    """
    label_states.require_reading_choices(unannotated=unannotated)
    data_dir = os.fspath(data_dir)
    xml_dir, image_dir = _find_folders(data_dir)
    xml_names = list_files(xml_dir, ".xml", findings)
    if not xml_names and not findings.problems:
        raise DataError(f"{xml_dir}: holds no XML file; check the folder")
    image_names = list_image_files(image_dir, findings)
    annotations = {
        name: read_annotation(os.path.join(xml_dir, name), refuse_blank_class, findings)
        for name in xml_names
    }
    images = _pair(annotations, image_names, xml_dir, image_dir, findings)
    objects = [item for a in annotations.values() if a for item in a.objects]
    note_unspecified(objects, xml_dir, findings)
    return assemble_annotated_images(
        images,
        sorted({item.name for item in objects}),
        class_names=class_names,
        source=xml_dir,
        unannotated=unannotated,
        findings=findings,
    )


def _find_folders(data_dir: str) -> tuple[str, str]:
    """Returns where the XML files are, and where the images are."""
    if not os.path.isdir(data_dir):
        raise DataError(f"{data_dir}: there is no such folder; check the path")
    folders = {
        name.lower(): os.path.join(data_dir, name)
        for name in sorted(os.listdir(data_dir))
        if os.path.isdir(os.path.join(data_dir, name))
    }

    def choose(names: Sequence[str], default: str) -> str:
        return next((folders[name] for name in names if name in folders), default)

    image_dir = choose(_IMAGE_FOLDERS, data_dir)
    return choose(_ANNOTATION_FOLDERS, image_dir), image_dir


def _pair(
    annotations: dict[str, VocAnnotation | None],
    image_names: Sequence[str],
    xml_dir: str,
    image_dir: str,
    findings: Findings,
) -> list[AnnotatedImage]:
    """Returns an image for each annotation, then those that have none."""
    index = FileIndex(image_names)
    names_of_stem: dict[str, list[str]] = {}
    for name in image_names:
        names_of_stem.setdefault(os.path.splitext(name)[0], []).append(name)
    images, renamed = [], []
    for xml_name, annotation in annotations.items():
        stem = os.path.splitext(xml_name)[0]
        file_name = annotation.file_name if annotation else ""
        own_name = (split_path(file_name) or [""])[-1]
        name, fault = _choose_image(stem, file_name, names_of_stem, index)
        if fault:
            findings.add(os.path.join(xml_dir, xml_name), "", "", fault)
        elif own_name and _strip(name) != _strip(own_name):
            renamed.append(xml_name)
        images.append(_describe(name, annotation, image_dir, not fault))
    index.note(xml_dir, findings)
    if renamed:
        findings.note(
            f"{xml_dir}: {count(len(renamed), 'file')} with a <filename> other than "
            "that of the image of the file's own name, which is taken "
            f"({name_first(renamed)})"
        )
    return images + list_bare_images(image_dir, image_names, images)


def _choose_image(
    stem: str, file_name: str, names_of_stem: dict[str, list[str]], index: FileIndex
) -> tuple[str, str]:
    """Returns the image's name, and what is wrong with it."""
    fitting = names_of_stem.get(stem, [])
    own = (split_path(file_name) or [""])[-1]
    exact = [name for name in fitting if os.path.basename(name) == own]
    if len(fitting) > 1 and len(exact) != 1:
        files = " and ".join(fitting[:2])
        return fitting[0], f"may belong to {files}; name the image in <filename>"
    if fitting:
        return (exact or fitting)[0], ""
    folder = os.path.dirname(stem)
    if found := index.find_from(folder, file_name):
        return found, ""
    # The check of the image files says that it is missing.
    has_extension = own.lower().endswith(IMAGE_EXTENSIONS)
    return os.path.join(folder, own) if has_extension else f"{stem}.jpg", ""


def _strip(name: str) -> str:
    """A name of which neither folder, extension nor case count."""
    return os.path.splitext(os.path.basename(name))[0].lower()


def _describe(
    name: str, annotation: VocAnnotation | None, image_dir: str, is_sound: bool
) -> AnnotatedImage:
    objects = [
        NamedBox(item.name, item.box, item.is_difficult)
        for item in (annotation.objects if annotation else [])
    ]
    return AnnotatedImage(
        f"image {name}",
        name,
        os.path.join(image_dir, name),
        annotation.size if annotation else (1, 1),
        objects,
        [],
        is_boxed=True,
        is_sound=is_sound and annotation is not None,
    )
