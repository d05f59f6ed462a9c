"""Whether an export detects what the run's own model does, on photographs.

    python benchmarks/serving/compare_exports.py runs/voc_small_cpu \
        saved_model=runs/voc_small_cpu/saved_model --images voc --data_dir datasets/voc

Prints, for each export, on how many images it gives as many detections as the model,
how far their boxes and scores are apart at most, and both figures. The model runs as in
the run's evaluation. `--images coco` takes the val2017 images of a COCO folder whose
classes the model knows, by VOC's or COCO's names.
"""

import argparse
import json
import os

import numpy as np
from formats import OPENERS, Found

from ehsod_tf import data, evaluation
from ehsod_tf.api import load_experiment
from ehsod_tf.evaluation import runner
from ehsod_tf.runs.data import make_evaluation_dataset
from ehsod_tf.runs.model import make_detector, restore_model
from ehsod_tf.structures import ImageSet
from ehsod_tf.training import read_class_names

COCO_NAMES = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
}


def load_images(kind: str, data_dir: str, split: str, class_names) -> ImageSet:
    """The images, with boxes of the model's classes."""
    if kind == "voc":
        devkit = os.path.join(data_dir, "VOCdevkit", "VOC2007")
        return data.read_voc(devkit, split, class_names=class_names)
    image_set = data.read_coco(
        os.path.join(data_dir, "annotations", f"instances_{split}.json"),
        os.path.join(data_dir, split),
        class_names=[COCO_NAMES.get(name, name) for name in class_names],
        unannotated="empty",
    )
    return image_set._replace(class_names=tuple(class_names))


def run_model(model_dir: str, image_set: ImageSet) -> evaluation.Results:
    """The detections of the run's newest weights, as its evaluation makes them."""
    experiment = load_experiment(
        os.path.join(model_dir, "operative_config.gin"), restores_weights=True
    )
    model = restore_model(experiment, model_dir, len(image_set.class_names))
    dataset = make_evaluation_dataset(experiment, image_set)
    return runner.detect(make_detector(model), dataset, image_set)


def run_export(detect, image_set: ImageSet) -> evaluation.Results:
    """The detections of an export, image by image."""
    found = [detect(path) for path in image_set.paths]
    boxes, scores, classes = (
        np.concatenate([np.asarray(value, np.float64) for value in column])
        for column in zip(*found, strict=True)
    )
    ids = np.repeat(image_set.image_ids, [len(one.scores) for one in found])
    return evaluation.Results(ids, boxes, scores, classes.astype(np.int32))


def compare(wanted: evaluation.Results, given: evaluation.Results, image_ids) -> dict:
    """How far two sets of detections are apart, over images of equal count."""
    box_gaps, score_gaps, num_equal = [0.0], [0.0], 0
    for image_id in image_ids:
        one, other = (_select(results, image_id) for results in (wanted, given))
        if len(one.scores) != len(other.scores):
            continue
        num_equal += 1
        for row in range(len(one.scores)):
            gaps = np.abs(other.boxes - one.boxes[row]).max(axis=1)
            # Equal scores may come in either order.
            gaps[other.classes != one.classes[row]] = np.inf
            nearest = gaps.argmin()
            box_gaps.append(float(gaps[nearest]))
            score_gaps.append(float(abs(other.scores[nearest] - one.scores[row])))
    return {
        "images": len(image_ids),
        "equal_counts": num_equal,
        "detections": len(wanted.scores),
        "largest_box_gap": max(box_gaps),
        "largest_score_gap": max(score_gaps),
        "boxes_beyond_0.01": sum(gap > 0.01 for gap in box_gaps),
        "boxes_beyond_0.1": sum(gap > 0.1 for gap in box_gaps),
    }


def _select(results, image_id):
    rows = results.image_ids == image_id
    return Found(results.boxes[rows], results.scores[rows], results.classes[rows])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model_dir", help="the run folder")
    parser.add_argument("exports", nargs="+", help=f"FORM=PATH of {', '.join(OPENERS)}")
    parser.add_argument("--images", choices=("voc", "coco"), default="voc")
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--split", default="test", help="VOC image set, COCO folder")
    parser.add_argument("--output", help="a JSON file for the figures")
    flags = parser.parse_args()

    names = read_class_names(flags.model_dir)
    image_set = load_images(flags.images, flags.data_dir, flags.split, names)
    wanted = run_model(flags.model_dir, image_set)
    own = runner.compute_figures(image_set, wanted)
    report = {"model": {"AP": own["AP"], "AP50": own["AP50"]}}
    for export in flags.exports:
        form, _, path = export.partition("=")
        given = run_export(OPENERS[form](path), image_set)
        figures = runner.compute_figures(image_set, given)
        report[export] = {
            **compare(wanted, given, image_set.image_ids),
            "AP": figures["AP"],
            "AP50": figures["AP50"],
            "AP_gap": figures["AP"] - own["AP"],
        }
    text = json.dumps(report, indent=2)
    print(text)
    if flags.output:
        with open(flags.output, "w", encoding="utf-8") as file:
            file.write(text + "\n")


if __name__ == "__main__":
    main()
