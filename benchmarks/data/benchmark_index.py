"""Times the reading of a generated index of COCO's size, and its peak memory.

    python benchmarks/data/benchmark_index.py [--polygons | --yolo]

Writes an instances JSON of 118,000 images and 860,000 boxes, and one of a tenth of
that, to a temporary folder, and reads each in a process of its own. The table gives the
seconds of the reader, its processor time, which other work on the machine changes
least, and the peak resident memory of that process, TensorFlow's import included. With
--polygons every object has an outline of 60 numbers, as an average one of COCO has; the
reader drops them. No image is needed. With --yolo the same boxes are in as many text
files instead, beside images of one pixel, whose headers `read_yolo` reads for their
sizes; all of these are in the system's cache.
"""

import argparse
import io
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time

from PIL import Image

IMAGES, BOXES, CATEGORIES = 118_000, 860_000, 80
POLYGON_NUMBERS = 60
SCALES = (0.1, 1.0)


def write_index(path, scale, polygons, seed=0):
    """Writes record by record, so that the generator itself needs little memory."""
    rng = random.Random(seed)
    num_images, num_boxes = round(IMAGES * scale), round(BOXES * scale)
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"info": {"year": 2017}, "licenses": [], "images": [')
        write_list(file, (make_image(i) for i in range(1, num_images + 1)))
        file.write('], "annotations": [')
        boxes = (
            make_annotation(i, rng.randint(1, num_images), polygons, rng)
            for i in range(1, num_boxes + 1)
        )
        write_list(file, boxes)
        categories = [{"id": i, "name": f"class {i}"} for i in range(1, CATEGORIES + 1)]
        file.write(f'], "categories": {json.dumps(categories)}}}')


def write_list(file, records):
    separator = ""
    for record in records:
        file.write(separator + json.dumps(record))
        separator = ", "


def make_image(image_id):
    name = f"{image_id:012}.jpg"
    return {
        "license": 3,
        "file_name": name,
        "coco_url": f"http://images.example.org/train2017/{name}",
        "height": 480,
        "width": 640,
        "date_captured": "2013-11-14 17:02:52",
        "flickr_url": f"http://static.example.org/2567/{name}",
        "id": image_id,
    }


def make_annotation(annotation_id, image_id, polygons, rng):
    x, y = rng.uniform(0, 320), rng.uniform(0, 240)
    width, height = rng.uniform(1, 320), rng.uniform(1, 240)
    outline = [rng.uniform(0, 640) for _ in range(POLYGON_NUMBERS if polygons else 0)]
    return {
        "segmentation": [[round(number, 2) for number in outline]],
        "area": round(width * height / 2, 4),
        "iscrowd": 0,
        "image_id": image_id,
        "bbox": [round(number, 2) for number in (x, y, width, height)],
        "category_id": rng.randint(1, CATEGORIES),
        "id": annotation_id,
    }


def write_yolo(folder, scale, seed=0):
    """Writes data.yaml, images and label files."""
    rng = random.Random(seed)
    num_images, num_boxes = round(IMAGES * scale), round(BOXES * scale)
    lines = [[] for _ in range(num_images)]
    for _ in range(num_boxes):
        x, y = rng.uniform(0.25, 0.75), rng.uniform(0.25, 0.75)
        width, height = rng.uniform(0.01, 0.5), rng.uniform(0.01, 0.5)
        numbers = " ".join(f"{number:.6f}" for number in (x, y, width, height))
        number = rng.randrange(CATEGORIES)
        lines[rng.randrange(num_images)].append(f"{number} {numbers}\n")
    for kind in ("images", "labels"):
        os.makedirs(os.path.join(folder, kind, "train"))
    pixel = io.BytesIO()
    Image.new("RGB", (1, 1)).save(pixel, "JPEG")
    for row in range(num_images):
        stem = f"{row:012}"
        image = os.path.join(folder, "images", "train", f"{stem}.jpg")
        with open(image, "wb") as file:
            file.write(pixel.getvalue())
        labels = os.path.join(folder, "labels", "train", f"{stem}.txt")
        with open(labels, "w", encoding="utf-8") as file:
            file.writelines(lines[row])
    path = os.path.join(folder, "data.yaml")
    names = ", ".join(f"class {number}" for number in range(CATEGORIES))
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"train: images/train\nnames: [{names}]\n")
    return path


def read_index(path):
    """Prints images, boxes, both kinds of seconds, and the peak memory in GiB."""
    from ehsod_tf.data import read_coco, read_yolo

    started, used = time.perf_counter(), time.process_time()
    if path.endswith(".yaml"):
        image_set = read_yolo(path)
    else:
        image_set = read_coco(path, "images", unannotated="empty")
    seconds, used = time.perf_counter() - started, time.process_time() - used
    # Linux counts in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(len(image_set.paths), len(image_set.boxes), seconds, used, peak)


def measure(folder):
    """Returns the bytes of all files of a folder but images."""
    return sum(
        os.path.getsize(os.path.join(parent, name))
        for parent, _, names in os.walk(folder)
        for name in names
        if not name.endswith(".jpg")
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--polygons", action="store_true")
    parser.add_argument("--yolo", action="store_true")
    parser.add_argument("--scale", type=float, nargs="+", default=SCALES)
    parser.add_argument("--read", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.read:
        read_index(arguments.read)
        return
    print("| images | boxes | file | seconds | of the processor | peak memory |")
    print("|---|---|---|---|---|---|")
    for scale in arguments.scale:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "instances.json")
            if arguments.yolo:
                path = write_yolo(folder, scale)
            else:
                write_index(path, scale, arguments.polygons)
            size = measure(folder) / 2**20
            command = [sys.executable, __file__, "--read", path]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE)
        images, boxes, seconds, used, peak = output.stdout.split()
        print(
            f"| {int(images):,} | {int(boxes):,} | {size:,.0f} MiB | "
            f"{float(seconds):.1f} | {float(used):.1f} | {float(peak):.2f} GiB |"
        )


if __name__ == "__main__":
    main()
