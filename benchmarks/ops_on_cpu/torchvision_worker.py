"""Runs torchvision's ops in an environment of its own; the other scripts start it.

Reads one JSON object a line, {"op": ..., "inputs": path of an npz, "output": path or
null}, runs the op on the inputs, and answers with the milliseconds that it took.
"""

import json
import os
import sys
import time

import numpy as np
import torch
import torchvision

CANONICAL_SIZE = 224


def pool_level(feature_map, rois, stride, output_size, sampling_ratio):
    return torchvision.ops.roi_align(
        feature_map, rois, output_size, 1 / stride, sampling_ratio, aligned=True
    )


def roi_align(inputs, *, gradient):
    """Every box from its own level, as `multilevel_roi_align`."""
    size, ratio = int(inputs["output_size"]), int(inputs["sampling_ratio"])
    rois, features = inputs["rois"], inputs["features"]
    sides = (rois[:, 3:] - rois[:, 1:3]).clamp(min=0)
    level_of = torch.full([len(rois)], min(features))
    for level in sorted(features)[1:]:
        border = CANONICAL_SIZE**2 * 4.0 ** (level - 4)
        level_of[sides[:, 0] * sides[:, 1] >= border] = level
    channels = features[min(features)].shape[1]
    pooled = torch.zeros([len(rois), channels, size, size])
    for level, feature_map in features.items():
        rows = torch.where(level_of == level)[0]
        pooled[rows] = pool_level(feature_map, rois[rows], 2**level, size, ratio)
    return finish(pooled, inputs, gradient)


def roi_align_finest(inputs, *, gradient):
    """Every box from the finest level."""
    size, ratio = int(inputs["output_size"]), int(inputs["sampling_ratio"])
    level = min(inputs["features"])
    pooled = pool_level(
        inputs["features"][level], inputs["rois"], 2**level, size, ratio
    )
    return finish(pooled, inputs, gradient)


def finish(pooled, inputs, gradient):
    if not gradient:
        return {"pooled": pooled}
    for feature_map in inputs["features"].values():
        feature_map.grad = None
    pooled.backward(inputs["upstream"])
    return {"pooled": pooled} | {
        f"gradient{level}": k.grad
        for level, k in inputs["features"].items()
        if k.grad is not None
    }


def nms(inputs):
    kept = torchvision.ops.nms(
        inputs["boxes"], inputs["scores"], float(inputs["iou_threshold"])
    )
    return {"indices": kept[: int(inputs["max_outputs"])]}


def load(path):
    """Channels first, boxes as (image, xmin, ymin, xmax, ymax)."""
    arrays = {k: torch.from_numpy(v) for k, v in np.load(path).items()}
    if "scores" in arrays:
        arrays["boxes"] = arrays["boxes"][:, [1, 0, 3, 2]].contiguous()
        return arrays
    features = {
        int(k.removeprefix("features")): v.permute(0, 3, 1, 2).contiguous()
        for k, v in arrays.items()
        if k.startswith("features")
    }
    batch, count = arrays["boxes"].shape[:2]
    images = torch.arange(batch).repeat_interleave(count)[:, None]
    boxes = arrays["boxes"].reshape(-1, 4)[:, [1, 0, 3, 2]]
    upstream = arrays["upstream"].flatten(0, 1).permute(0, 3, 1, 2).contiguous()
    return arrays | {
        "features": features,
        "rois": torch.cat([images.to(boxes.dtype), boxes], dim=1),
        "upstream": upstream,
    }


def run(op, inputs):
    name, _, mode = op.partition("+")
    if name == "nms":
        return nms(inputs)
    for feature_map in inputs["features"].values():
        feature_map.requires_grad_(mode == "gradient")
    align = {"roi_align": roi_align, "roi_align_finest": roi_align_finest}[name]
    return align(inputs, gradient=mode == "gradient")


def to_numpy(result):
    arrays = {k: v.detach().numpy() for k, v in result.items()}
    return {k: np.moveaxis(v, 1, -1) if v.ndim == 4 else v for k, v in arrays.items()}


def main():
    torch.set_num_threads(2)
    print(json.dumps({"torchvision": torchvision.__version__}), flush=True)
    loaded, inputs = None, None
    for line in sys.stdin:
        request = json.loads(line)
        version = request["inputs"], os.stat(request["inputs"]).st_mtime_ns
        if version != loaded:
            loaded, inputs = version, load(request["inputs"])
        start = time.perf_counter()
        result = run(request["op"], inputs)
        milliseconds = 1000 * (time.perf_counter() - start)
        if request["output"]:
            np.savez(request["output"], **to_numpy(result))
        print(json.dumps({"milliseconds": milliseconds}), flush=True)


if __name__ == "__main__":
    main()
