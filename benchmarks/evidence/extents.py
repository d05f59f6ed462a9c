"""Where the boxes of a run end, where its classes are right.

    python benchmarks/evidence/extents.py runs/evidence/voc_six_plus/*_010_seed0

For each object of the evaluation images the detection of its class that scores highest
among those that touch it (`TOUCHES`): how well it fits, and, where it does not, whether
it is too large, a part of the object, or shifted; and whether another detection of the
class would have fitted. The last columns are AP50 (area), and what it would be if the
labels of the images were known: detections of classes that an image does not show are
left out. Reads `detections_averaged.json`, or `detections.json` where a
run keeps no averages, and computes nothing anew.
"""

import argparse
import os

import numpy as np

from ehsod_tf.api import load_experiment
from ehsod_tf.evaluation import read_detections
from ehsod_tf.evaluation.matching import compute_ious
from ehsod_tf.evaluation.runner import compute_figures
from ehsod_tf.runs.data import load_evaluation_set
from ehsod_tf.structures import ABSENT

TOUCHES = 0.1
FITS = 0.7
# One of the two boxes lies in the other with as much of its area.
INSIDE = 0.85
KINDS = ("not found", "too large", "a part", "shifted")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dirs", nargs="+")
    arguments = parser.parse_args()
    overlaps = ("IoU 0.5", f"IoU {FITS}", "any detection")
    columns = (*overlaps, *KINDS, "AP50", "AP50, labels known")
    print(f"| run | objects | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 2) + "|")
    for model_dir in arguments.model_dirs:
        name = os.path.basename(os.path.normpath(model_dir))
        image_set, results = read_run(model_dir)
        cells = _format(*measure_extents(image_set, results))
        known = keep_shown_classes(image_set, results)
        ap50s = (f"{_measure_ap50(image_set, r):.3f}" for r in (results, known))
        print(f"| {name} | {cells} | {' | '.join(ap50s)} |")


def read_run(model_dir: str):
    """Returns the evaluation images of a run, and what it found on them."""
    experiment = load_experiment(os.path.join(model_dir, "operative_config.gin"))
    image_set = load_evaluation_set(experiment)
    names = ("detections_averaged.json", "detections.json")
    paths = [os.path.join(model_dir, name) for name in names]
    path = next(filter(os.path.exists, paths))
    return image_set, read_detections(path, image_set)


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


def keep_shown_classes(image_set, results):
    """The detections of classes that are labelled as present, or not known."""
    rows = {image_id: row for row, image_id in enumerate(image_set.image_ids.tolist())}
    of_detection = [rows[image_id] for image_id in results.image_ids.tolist()]
    labels = image_set.image_labels[of_detection, results.classes]
    return results._replace(
        **{name: column[labels != ABSENT] for name, column in results._asdict().items()}
    )


def _measure_ap50(image_set, results):
    figures = compute_figures(image_set, results, metrics="voc")
    return figures["voc_ap50_area"]


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
