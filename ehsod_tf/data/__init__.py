"""From a folder of images to batches: readers, checks, splits and the input pipeline.

A reader (`read_coco`, `read_voc`, `read_yolo` and so on, one for each form) gives an
`ImageSet`, a writer makes files of one, and `merge_image_sets` makes one of several;
`validate` checks it; `apply_split` takes the boxes of the weak images away;
`build_training_dataset` and `build_evaluation_dataset` make batches of what is left.
What is wrong on the way goes into `Findings`.
"""

from ehsod_tf.data.augmentation.pixels import NUM_DRAWS, augment_batch
from ehsod_tf.data.augmentation.settings import Augmentation
from ehsod_tf.data.checks.leakage import (
    leave_out_shared_images,
    note_shared_images,
)
from ehsod_tf.data.checks.validation import validate
from ehsod_tf.data.columns import (
    align_classes,
    leave_out_machine_boxes,
    select_images,
    spread_any_class,
)
from ehsod_tf.data.input.batch_plan import count_steps_per_epoch
from ehsod_tf.data.input.input_errors import explain_input_error, name_unreadable_images
from ehsod_tf.data.input.pipeline import (
    build_evaluation_dataset,
    build_training_dataset,
)
from ehsod_tf.data.problems import (
    Findings,
    Problem,
    merge_equal,
    raise_problems,
    write_problems,
)
from ehsod_tf.data.readers.box_csv import read_box_csv
from ehsod_tf.data.readers.class_folders import read_class_folders
from ehsod_tf.data.readers.coco import read_coco
from ehsod_tf.data.readers.cvat import read_cvat
from ehsod_tf.data.readers.label_csv import read_label_csv
from ehsod_tf.data.readers.label_studio import read_label_studio
from ehsod_tf.data.readers.label_studio_predictions import read_predictions
from ehsod_tf.data.readers.labelme import read_labelme
from ehsod_tf.data.readers.lvis import read_lvis
from ehsod_tf.data.readers.machine_boxes import read_machine_boxes
from ehsod_tf.data.readers.merging import merge_image_sets
from ehsod_tf.data.readers.mixture import read_mixture
from ehsod_tf.data.readers.open_images import read_open_images
from ehsod_tf.data.readers.roboflow import read_roboflow
from ehsod_tf.data.readers.via import read_via
from ehsod_tf.data.readers.voc import VOC_CLASSES, read_voc
from ehsod_tf.data.readers.voc_xml import read_voc_xml
from ehsod_tf.data.readers.yolo import read_yolo
from ehsod_tf.data.reading_memory import forget_readings, reading_once
from ehsod_tf.data.recognition.plan import FolderChoices, FolderPlan, plan_folder
from ehsod_tf.data.recognition.survey import (
    describe_unread,
    format_survey,
    survey_folder,
)
from ehsod_tf.data.resizing import Resizing
from ehsod_tf.data.scenes.synthetic import ensure_synthetic_scenes
from ehsod_tf.data.spelling import suggest
from ehsod_tf.data.splits.holding_out import read_part
from ehsod_tf.data.splits.lists import split_from_ids
from ehsod_tf.data.splits.split import (
    Split,
    apply_split,
    describe_supervision,
    format_split,
    hide_weak_labels,
    make_split,
    read_split,
    write_split,
)
from ehsod_tf.data.statistics import summarize
from ehsod_tf.data.tfrecord.reading import read_tfrecords
from ehsod_tf.data.tfrecord.writing import write_tfrecords
from ehsod_tf.data.writers.coco import write_coco
from ehsod_tf.data.writers.cvat import write_cvat
from ehsod_tf.data.writers.label_studio import write_label_studio
from ehsod_tf.data.writers.labelme import write_labelme
from ehsod_tf.data.writers.lvis import write_lvis
from ehsod_tf.data.writers.open_images import write_open_images
from ehsod_tf.data.writers.roboflow import write_roboflow
from ehsod_tf.data.writers.voc_xml import write_voc_xml
from ehsod_tf.data.writers.yolo import write_yolo

__all__ = [
    "NUM_DRAWS",
    "VOC_CLASSES",
    "Augmentation",
    "Findings",
    "FolderChoices",
    "FolderPlan",
    "Problem",
    "Resizing",
    "Split",
    "align_classes",
    "apply_split",
    "augment_batch",
    "build_evaluation_dataset",
    "build_training_dataset",
    "count_steps_per_epoch",
    "describe_supervision",
    "describe_unread",
    "ensure_synthetic_scenes",
    "explain_input_error",
    "forget_readings",
    "format_split",
    "format_survey",
    "hide_weak_labels",
    "leave_out_machine_boxes",
    "leave_out_shared_images",
    "make_split",
    "merge_equal",
    "merge_image_sets",
    "name_unreadable_images",
    "plan_folder",
    "note_shared_images",
    "raise_problems",
    "read_class_folders",
    "read_box_csv",
    "read_coco",
    "read_cvat",
    "read_label_csv",
    "read_label_studio",
    "read_labelme",
    "read_predictions",
    "read_roboflow",
    "read_lvis",
    "read_machine_boxes",
    "read_mixture",
    "read_open_images",
    "read_part",
    "reading_once",
    "read_split",
    "read_tfrecords",
    "read_via",
    "read_voc",
    "read_voc_xml",
    "read_yolo",
    "select_images",
    "split_from_ids",
    "spread_any_class",
    "suggest",
    "summarize",
    "survey_folder",
    "validate",
    "write_coco",
    "write_cvat",
    "write_label_studio",
    "write_labelme",
    "write_lvis",
    "write_open_images",
    "write_problems",
    "write_roboflow",
    "write_split",
    "write_tfrecords",
    "write_voc_xml",
    "write_yolo",
]
