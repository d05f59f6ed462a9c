"""Takes boxes of the rendered scenes away, for the matrix `scenes_partial`.

    python benchmarks/evidence/reduce_boxes.py --data_dir datasets/quickstart

Below ``annotations/reduced`` of the scenes it writes, for each seed, ``removed_030``:
all training images, without 30 % of the boxes, drawn at random; and ``first`` and
``second``: half of the images each, drawn at random, the one with the boxes of the
first three classes alone and the other with those of the last three.
"""

import argparse
import json
import os

import numpy as np

from ehsod_tf.data import ensure_synthetic_scenes

REMOVED_SHARE = 0.3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    arguments = parser.parse_args()
    # As configs/data/synthetic_scenes.gin has them.
    ensure_synthetic_scenes(
        arguments.data_dir, num_train=600, num_val=200, seed=0, size=128
    )
    folder = os.path.join(arguments.data_dir, "annotations")
    with open(os.path.join(folder, "instances_train.json"), encoding="utf-8") as file:
        content = json.load(file)
    folder = os.path.join(folder, "reduced")
    os.makedirs(folder, exist_ok=True)
    for seed in arguments.seeds:
        for name, reduced in reduce_boxes(content, seed).items():
            path = os.path.join(folder, f"{name}_seed{seed}.json")
            with open(path, "w", encoding="utf-8") as file:
                json.dump(reduced, file)
            print(
                f"{path}: {len(reduced['images'])} images, "
                f"{len(reduced['annotations'])} boxes"
            )


def reduce_boxes(content: dict, seed: int) -> dict[str, dict]:
    """The reduced sets by name; `content` is a COCO instances JSON."""
    rng = np.random.default_rng(seed)
    annotations, images = content["annotations"], content["images"]
    num_removed = round(REMOVED_SHARE * len(annotations))
    removed = set(rng.permutation(len(annotations))[:num_removed].tolist())
    kept = [a for row, a in enumerate(annotations) if row not in removed]
    ids = sorted(category["id"] for category in content["categories"])
    order = rng.permutation(len(images))
    middle = len(images) // 2
    halves = {
        "first": (order[:middle], ids[: len(ids) // 2]),
        "second": (order[middle:], ids[len(ids) // 2 :]),
    }
    return {"removed_030": {**content, "annotations": kept}} | {
        name: _take_part(content, {images[row]["id"] for row in rows}, set(chosen))
        for name, (rows, chosen) in halves.items()
    }


def _take_part(content, image_ids, category_ids):
    return {
        **content,
        "images": [i for i in content["images"] if i["id"] in image_ids],
        "annotations": [
            a
            for a in content["annotations"]
            if a["image_id"] in image_ids and a["category_id"] in category_ids
        ],
    }


if __name__ == "__main__":
    main()
