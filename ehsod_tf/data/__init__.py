"""From a folder of images to batches: readers, checks, splits and the input pipeline.

A reader (`read_coco`, `read_voc`) gives an `ImageSet`; `validate` checks it;
`apply_split` takes the boxes of the weak images away; `build_training_dataset` and
`build_evaluation_dataset` make batches of what is left.
"""

from ehsod_tf.data.batch_plan import count_steps_per_epoch as count_steps_per_epoch
from ehsod_tf.data.coco import read_coco as read_coco
from ehsod_tf.data.columns import select_images as select_images
from ehsod_tf.data.pipeline import (
    build_evaluation_dataset as build_evaluation_dataset,
)
from ehsod_tf.data.pipeline import build_training_dataset as build_training_dataset
from ehsod_tf.data.splits import Split as Split
from ehsod_tf.data.splits import apply_split as apply_split
from ehsod_tf.data.splits import describe_supervision as describe_supervision
from ehsod_tf.data.splits import make_split as make_split
from ehsod_tf.data.splits import read_split as read_split
from ehsod_tf.data.splits import write_split as write_split
from ehsod_tf.data.synthetic import ensure_synthetic_scenes as ensure_synthetic_scenes
from ehsod_tf.data.transforms import preprocess_image as preprocess_image
from ehsod_tf.data.validation import validate as validate
from ehsod_tf.data.voc import VOC_CLASSES as VOC_CLASSES
from ehsod_tf.data.voc import read_voc as read_voc
