"""Trains torchvision's Faster R-CNN where the quickstart trains the plain cascade.

The sanity line of the evidence: with the hybrid parts off and boxes on every image, our
detector should reach what a trusted implementation reaches from the same start on the
same images in as many steps. Needs an environment of its own, never the package's:

    python -m venv .venv-torch && . .venv-torch/bin/activate
    pip install torch torchvision pycocotools
    python benchmarks/evidence/torchvision_peer.py datasets/quickstart --seed 0

Backbone, pyramid, anchors, regions, batch, optimizer, schedule and flips are those of
``configs/quickstart.gin``; what differs is torchvision's: one stage in place of three,
boxes by class, and its own assignment and sampling.
"""

import argparse
import contextlib
import io
import itertools
import json
import pathlib
import time
from collections import OrderedDict

import numpy as np
import pycocotools.coco
import pycocotools.cocoeval
import torch
import torchvision
from PIL import Image
from torch import nn
from torchvision.models.detection.faster_rcnn import TwoMLPHead

_STEPS, _BATCH, _RATE = 1200, 8, 0.001
_WARMUP, _DROPS = 100, (13 * 75, 15 * 75)
_CHANNELS, _UNITS, _WIDTH = 64, 256, 32
_SIZE = 128


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data_dir", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=_STEPS)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    examples, names = read_examples(arguments.data_dir, "train")
    model = build_model(len(names))
    start = time.monotonic()
    train(model, examples, arguments.seed, arguments.steps)
    minutes = (time.monotonic() - start) / 60
    figures = evaluate(model, arguments.data_dir)
    print(
        f"seed {arguments.seed}, {arguments.steps} steps in {minutes:.1f} min: "
        f"AP {figures[0]:.4f}, AP50 {figures[1]:.4f}"
    )


class SmallBackbone(nn.Module):
    """`ehsod_tf.modeling.build_small_backbone`, layer for layer."""

    def __init__(self, width: int):
        super().__init__()
        self.stem = nn.Sequential(_conv_norm(3, width, 5, 2), nn.ReLU())
        channels = [width, width, 2 * width, 4 * width, 4 * width]
        self.blocks = nn.ModuleList(
            _ResidualBlock(before, after)
            for before, after in itertools.pairwise(channels)
        )
        self.channels = channels[1:]

    def forward(self, images):
        features, x = OrderedDict(), self.stem(images)
        for level, block in enumerate(self.blocks):
            x = block(x)
            features[str(level)] = x
        return features


class _ResidualBlock(nn.Module):
    def __init__(self, before, after):
        super().__init__()
        self.shortcut = _conv_norm(before, after, 1, 2)
        self.body = nn.Sequential(
            _conv_norm(before, after, 3, 2), nn.ReLU(), _conv_norm(after, after, 3, 1)
        )

    def forward(self, x):
        return torch.relu(self.shortcut(x) + self.body(x))


def _conv_norm(before, after, size, stride):
    conv = nn.Conv2d(before, after, size, stride, padding=size // 2, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_in")
    return nn.Sequential(conv, nn.GroupNorm(8, after, eps=1e-3))


class _Pyramid(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = SmallBackbone(_WIDTH)
        self.fpn = torchvision.ops.FeaturePyramidNetwork(
            self.backbone.channels,
            _CHANNELS,
            extra_blocks=torchvision.ops.feature_pyramid_network.LastLevelMaxPool(),
        )
        self.out_channels = _CHANNELS

    def forward(self, images):
        return self.fpn(self.backbone(images))


def build_model(num_classes: int) -> nn.Module:
    anchors = torchvision.models.detection.rpn.AnchorGenerator(
        sizes=tuple((6 * 2**level,) for level in range(2, 7)),
        aspect_ratios=((0.5, 1.0, 2.0),) * 5,
    )
    pool = torchvision.ops.MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    return torchvision.models.detection.FasterRCNN(
        _Pyramid(),
        num_classes=None,
        min_size=_SIZE,
        max_size=_SIZE,
        rpn_anchor_generator=anchors,
        rpn_pre_nms_top_n_train=300,
        rpn_post_nms_top_n_train=300,
        rpn_pre_nms_top_n_test=200,
        rpn_post_nms_top_n_test=200,
        box_roi_pool=pool,
        box_head=TwoMLPHead(_CHANNELS * 7 * 7, _UNITS),
        box_predictor=torchvision.models.detection.faster_rcnn.FastRCNNPredictor(
            _UNITS, num_classes + 1
        ),
        box_batch_size_per_image=64,
        box_score_thresh=0.05,
        box_nms_thresh=0.5,
        box_detections_per_img=100,
    )


def read_examples(data_dir: pathlib.Path, subset: str):
    """Returns [(image, target)] of all images, and the class names."""
    with contextlib.redirect_stdout(io.StringIO()):
        index = pycocotools.coco.COCO(_locate(data_dir, subset))
    examples = []
    for image_id in index.getImgIds():
        path = data_dir / subset / index.loadImgs(image_id)[0]["file_name"]
        pixels = np.asarray(Image.open(path).convert("RGB"), np.float32) / 255
        rows = index.loadAnns(index.getAnnIds(imgIds=image_id))
        boxes = torch.tensor([row["bbox"] for row in rows]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        target = {
            "boxes": boxes,
            "labels": torch.tensor([row["category_id"] for row in rows]).long(),
            "image_id": image_id,
        }
        examples.append(
            (torch.from_numpy(pixels).permute(2, 0, 1).contiguous(), target)
        )
    return examples, [row["name"] for row in index.loadCats(index.getCatIds())]


def train(model: nn.Module, examples: list, seed: int, steps: int) -> None:
    optimizer = torch.optim.AdamW(
        model.parameters(), _RATE, eps=1e-7, weight_decay=1e-4
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _scale_rate)
    batches = _draw_batches(len(examples), seed)
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for step, rows in enumerate(itertools.islice(batches, steps), start=1):
        images, targets = zip(
            *(_flip(*examples[row], generator) for row in rows), strict=True
        )
        losses = model(list(images), list(targets))
        optimizer.zero_grad()
        loss = sum(losses.values())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            terms = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
            print(f"step {step}: {terms}", flush=True)


def _scale_rate(step):
    drops = sum(step >= boundary for boundary in _DROPS)
    return 0.1**drops * (1 / 3 + 2 / 3 * min(1.0, step / _WARMUP))


def _draw_batches(num_examples, seed):
    """Endless batches; what is left over of a pass goes into the next one."""
    generator = np.random.default_rng(seed)
    order = []
    while True:
        while len(order) < _BATCH:
            order += generator.permutation(num_examples).tolist()
        yield order[:_BATCH]
        order = order[_BATCH:]


def _flip(image, target, generator):
    if torch.rand([], generator=generator) < 0.5:
        return image, target
    boxes = target["boxes"].clone()
    boxes[:, [0, 2]] = image.shape[2] - boxes[:, [2, 0]]
    return image.flip(2), {**target, "boxes": boxes}


def evaluate(model: nn.Module, data_dir: pathlib.Path) -> list[float]:
    examples, _ = read_examples(data_dir, "val")
    model.eval()
    rows = []
    with torch.no_grad():
        for image, target in examples:
            (found,) = model([image])
            boxes = found["boxes"].clone()
            boxes[:, 2:] -= boxes[:, :2]
            rows += [
                {
                    "image_id": target["image_id"],
                    "category_id": c,
                    "bbox": b,
                    "score": s,
                }
                for b, c, s in zip(
                    boxes.tolist(),
                    found["labels"].tolist(),
                    found["scores"].tolist(),
                    strict=True,
                )
            ]
    with contextlib.redirect_stdout(io.StringIO()):
        index = pycocotools.coco.COCO(_locate(data_dir, "val"))
        evaluator = pycocotools.cocoeval.COCOeval(
            index, index.loadRes(json.loads(json.dumps(rows))), "bbox"
        )
        evaluator.evaluate()
        evaluator.accumulate()
        evaluator.summarize()
    return list(evaluator.stats)


def _locate(data_dir, subset):
    return str(data_dir / "annotations" / f"instances_{subset}.json")


if __name__ == "__main__":
    main()
