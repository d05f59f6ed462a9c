"""Writes the report of a large evaluation, and says how long it took and its size.

    python benchmarks/house/large_report.py --output large

5,000 images of 160 x 120 pixels with 0 to 14 objects of 80 classes each, and 100
detections of which about every tenth lies on an object: what COCO's val2017 asks of a
report. `look_at_pages.py` says how long the page takes to open.
"""

import argparse
import pathlib
import time

import numpy as np
from PIL import Image

from ehsod_tf import data, evaluation, visualization
from ehsod_tf.evaluation.runner import compute_figures
from ehsod_tf.runs import report
from ehsod_tf.runs.diagnosis import diagnose
from ehsod_tf.structures import BOXED, BOXED_ABSENT, ImageSet

HEIGHT, WIDTH, NUM_CLASSES, NUM_DETECTIONS = 120, 160, 80, 100


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("large"))
    parser.add_argument("--images", type=int, default=5000)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    image_set = make_image_set(rng, arguments.output, arguments.images)
    results = make_results(rng, image_set)
    figures = time_it("figures", compute_figures, image_set, results)
    matches = time_it("matches", evaluation.match_detections, image_set, results)
    diagnosis = time_it("diagnosis", diagnose, image_set, results, matches, "coco")
    galleries = time_it(
        "pictures", report.show_images, image_set, results, matches, diagnosis.point
    )
    page = visualization.RunReport(
        title="A large evaluation",
        figures=figures,
        summary=data.summarize(image_set),
        diagnosis=diagnosis,
        galleries=galleries,
        explained=[],
        history=[],
        timings=[],
        left_out=visualization.LeftOut(),
        config_text="",
    )
    path = arguments.output / "report.html"
    time_it("page", visualization.write_report, path, page)
    print(f"{path}: {path.stat().st_size:,} bytes")


def time_it(what, function, *arguments):
    start = time.perf_counter()
    answer = function(*arguments)
    print(f"{what}: {time.perf_counter() - start:.1f} s")
    return answer


def make_image_set(rng, folder, num_images):
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{i:05}.jpg") for i in range(num_images)]
    for path in paths:
        pixels = rng.integers(0, 256, [HEIGHT // 8, WIDTH // 8, 3], np.uint8)
        Image.fromarray(pixels).resize((WIDTH, HEIGHT)).save(path)
    counts = rng.integers(0, 15, num_images)
    num_objects = int(counts.sum())
    boxes, classes = draw_boxes(rng, num_objects), draw_classes(rng, num_objects)
    images = np.repeat(np.arange(num_images), counts)
    states = np.full([num_images, NUM_CLASSES], BOXED_ABSENT, np.int8)
    states[images, classes] = BOXED
    return ImageSet(
        class_names=tuple(f"class {k:02}" for k in range(NUM_CLASSES)),
        category_ids=tuple(range(1, NUM_CLASSES + 1)),
        image_ids=np.arange(num_images),
        image_names=[pathlib.Path(path).name for path in paths],
        paths=paths,
        sizes=np.tile(np.array([HEIGHT, WIDTH], np.int32), [num_images, 1]),
        row_splits=np.concatenate([[0], np.cumsum(counts)]),
        boxes=boxes,
        classes=classes,
        areas=np.prod(boxes[:, 2:] - boxes[:, :2], axis=1),
        ignored=rng.uniform(size=num_objects) < 0.01,
        class_states=states,
    )


def make_results(rng, image_set):
    num_images = len(image_set.image_ids)
    images = np.repeat(np.arange(num_images), NUM_DETECTIONS)
    boxes, classes = draw_boxes(rng, len(images)), draw_classes(rng, len(images))
    scores = rng.uniform(0.05, 0.6, len(images))
    owners = np.repeat(np.arange(num_images), np.diff(image_set.row_splits))
    found = np.flatnonzero(rng.uniform(size=len(owners)) < 0.7)
    rows = owners[found] * NUM_DETECTIONS + rng.integers(0, NUM_DETECTIONS, len(found))
    boxes[rows], classes[rows] = image_set.boxes[found], image_set.classes[found]
    scores[rows] = rng.uniform(0.3, 1.0, len(found))
    return evaluation.Results(image_set.image_ids[images], boxes, scores, classes)


def draw_boxes(rng, count):
    corners = rng.uniform(0, [HEIGHT - 20, WIDTH - 20], [count, 2])
    sides = np.minimum(rng.uniform(8, 60, [count, 2]), [HEIGHT, WIDTH] - corners)
    return np.concatenate([corners, corners + sides], axis=1)


def draw_classes(rng, count):
    return rng.integers(0, NUM_CLASSES, count).astype(np.int32)


if __name__ == "__main__":
    main()
