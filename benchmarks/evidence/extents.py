"""Where the boxes of a run end, where its classes are right.

    python benchmarks/evidence/extents.py runs/evidence/voc_six_plus/*_010_seed0

For each object of the evaluation images the detection of its class that scores highest
among those that touch it (`TOUCHES`): how well it fits, and, where it does not, whether
it is too large, a part of the object, or shifted; and whether another detection of the
class would have fitted. Reads `detections_averaged.json`, or `detections.json` where a
run keeps no averages, and computes nothing anew.
"""

import argparse
import os

import numpy as np

from ehsod_tf.api import load_experiment
from ehsod_tf.evaluation import read_detections
from ehsod_tf.evaluation.matching import compute_ious
from ehsod_tf.runs.data import load_evaluation_set

TOUCHES = 0.1
FITS = 0.7
# One of the two boxes lies in the other with as much of its area.
INSIDE = 0.85
KINDS = ("not found", "too large", "a part", "shifted")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dirs", nargs="+")
    arguments = parser.parse_args()
    columns = ("IoU 0.5", f"IoU {FITS}", "any detection", *KINDS)
    print(f"| run | objects | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 2) + "|")
    for model_dir in arguments.model_dirs:
        name = os.path.basename(os.path.normpath(model_dir))
        print(f"| {name} | {_format(*measure_run(model_dir))} |")


def measure_run(model_dir: str):
    """Returns `measure_extents` of a run's detections."""
    experiment = load_experiment(os.path.join(model_dir, "operative_config.gin"))
    image_set = load_evaluation_set(experiment)
    names = ("detections_averaged.json", "detections.json")
    paths = [os.path.join(model_dir, name) for name in names]
    path = next(filter(os.path.exists, paths))
    return measure_extents(image_set, read_detections(path, image_set))


def measure_extents(image_set, results):
    """How the best-scored detection of each object ends.

    Args:
        image_set: N objects that are not ignored.
        results: `ehsod_tf.evaluation.Results`.

    Returns:
        (its IoU [N], 0 where there is none; the greatest IoU that any detection of the
        class has [N]; index into `KINDS` [N], which counts below `FITS` alone).
    """
    rows = []
    for image, image_id in enumerate(image_set.image_ids):
        of_image = results.image_ids == image_id
        for index in range(*image_set.row_splits[image : image + 2]):
            if not image_set.ignored[index]:
                is_own = of_image & (results.classes == image_set.classes[index])
                box = image_set.boxes[index : index + 1]
                rows.append(_judge(box, results.boxes[is_own], results.scores[is_own]))
    ious, most, kinds = zip(*rows, strict=True)
    return np.array(ious), np.array(most), np.array(kinds)


def _judge(box, boxes, scores):
    ious = compute_ious(boxes, box)[:, 0]
    touching = np.flatnonzero(ious >= TOUCHES)
    if not len(touching):
        return 0.0, 0.0, 0
    best = touching[scores[touching].argmax()]
    chosen = boxes[best : best + 1]
    if compute_ious(box, chosen, is_crowd=True)[0, 0] > INSIDE:
        kind = 1
    elif compute_ious(chosen, box, is_crowd=True)[0, 0] > INSIDE:
        kind = 2
    else:
        kind = 3
    return ious[best], ious.max(), kind


def _format(ious, most, kinds):
    shares = [
        f"{(values >= least).mean():.3f}"
        for values, least in ((ious, 0.5), (ious, FITS), (most, FITS))
    ]
    counts = np.bincount(kinds[ious < FITS], minlength=len(KINDS))
    return " | ".join([str(len(ious)), *shares, *map(str, counts)])


if __name__ == "__main__":
    main()
