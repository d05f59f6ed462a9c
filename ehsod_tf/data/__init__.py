"""From a folder of images to batches: readers, checks, splits and the input pipeline.

A reader (`read_coco`, `read_voc`, `read_label_csv`, `read_class_folders`,
`read_tfrecords`) gives an `ImageSet`, and `merge_image_sets` makes one of several;
`validate` checks it; `apply_split` takes the boxes of the weak images away;
`build_training_dataset` and `build_evaluation_dataset` make batches of what is left.
What is wrong on the way goes into `Findings`.
"""

from ehsod_tf.data.batch_plan import count_steps_per_epoch as count_steps_per_epoch
from ehsod_tf.data.class_folders import read_class_folders as read_class_folders
from ehsod_tf.data.coco import read_coco as read_coco
from ehsod_tf.data.columns import select_images as select_images
from ehsod_tf.data.conversion import write_coco as write_coco
from ehsod_tf.data.input_errors import explain_input_error as explain_input_error
from ehsod_tf.data.input_errors import (
    name_unreadable_images as name_unreadable_images,
)
from ehsod_tf.data.label_csv import read_label_csv as read_label_csv
from ehsod_tf.data.leakage import leave_out_shared_images as leave_out_shared_images
from ehsod_tf.data.merging import merge_image_sets as merge_image_sets
from ehsod_tf.data.pipeline import (
    build_evaluation_dataset as build_evaluation_dataset,
)
from ehsod_tf.data.pipeline import build_training_dataset as build_training_dataset
from ehsod_tf.data.problems import Findings as Findings
from ehsod_tf.data.problems import Problem as Problem
from ehsod_tf.data.problems import raise_problems as raise_problems
from ehsod_tf.data.problems import write_problems as write_problems
from ehsod_tf.data.split_lists import split_from_ids as split_from_ids
from ehsod_tf.data.splits import Split as Split
from ehsod_tf.data.splits import apply_split as apply_split
from ehsod_tf.data.splits import describe_supervision as describe_supervision
from ehsod_tf.data.splits import format_split as format_split
from ehsod_tf.data.splits import make_split as make_split
from ehsod_tf.data.splits import read_split as read_split
from ehsod_tf.data.splits import write_split as write_split
from ehsod_tf.data.statistics import summarize as summarize
from ehsod_tf.data.synthetic import ensure_synthetic_scenes as ensure_synthetic_scenes
from ehsod_tf.data.tfrecord_reader import read_tfrecords as read_tfrecords
from ehsod_tf.data.tfrecords import write_tfrecords as write_tfrecords
from ehsod_tf.data.transforms import preprocess_image as preprocess_image
from ehsod_tf.data.validation import validate as validate
from ehsod_tf.data.voc import VOC_CLASSES as VOC_CLASSES
from ehsod_tf.data.voc import read_voc as read_voc
