"""The cases of the GPU table: one problem for our kernels and for torchvision's."""

import ctypes

import torch
import torchvision
from kernel_library import NmsProblem, RoiAlignProblem

DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
LEVELS = range(2, 6)


def stream():
    return ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)


class RoiAlign:
    """RoIAlign of `features` {level: [B, H, W, C]} at boxes [B, N, 4]."""

    def __init__(self, kernels, features, boxes, size, ratio):
        self.kernels, self.features, self.boxes = kernels, features, boxes
        batch, count = boxes.shape[:2]
        levels = sorted(features)
        self.maps = [features[k] for k in levels]
        channels = self.maps[0].shape[3]
        self.problem = RoiAlignProblem(
            batch, count, channels, size, ratio, levels[0], len(levels)
        )
        for k, feature_map in enumerate(self.maps):
            self.problem.heights[k], self.problem.widths[k] = feature_map.shape[1:3]
        self.dtype = DTYPES[self.maps[0].dtype]
        self.pooled = self.maps[0].new_empty([batch, count, size, size, channels])
        self.gradients = [torch.empty_like(k) for k in self.maps]
        self.upstream = torch.rand_like(self.pooled)

    def count_bytes(self):
        """What the forward, and likewise the backward, has to move at least."""
        return sum(k.numel() * k.itemsize for k in [self.pooled, *self.maps])

    def forward(self):
        self.kernels.call(
            "roi_align_forward",
            *[self.dtype, self.problem, self.maps, self.boxes, self.pooled, stream()],
        )
        return self.pooled

    def backward(self):
        self.kernels.call(
            "roi_align_backward",
            *[self.dtype, self.problem, self.boxes, self.upstream, self.gradients],
            stream(),
        )
        return self.gradients

    def both(self):
        return [self.forward(), *self.backward()]

    def on_cpu(self):
        """The same by our CPU kernels, float32."""
        maps = [k.float().cpu() for k in self.maps]
        pooled = torch.empty(self.pooled.shape)
        gradients = [torch.empty_like(k) for k in maps]
        self.kernels.call(
            "roi_align_cpu",
            *[self.problem, maps, self.boxes.cpu(), self.upstream.float().cpu()],
            *[pooled, gradients],
        )
        return [pooled, *gradients]

    def in_float32(self):
        """The same case, its values cast."""
        features = {k: v.float() for k, v in self.features.items()}
        size, ratio = self.problem.output_size, self.problem.sampling_ratio
        case = RoiAlign(self.kernels, features, self.boxes, size, ratio)
        case.upstream = self.upstream.float()
        return case


class TorchvisionRoiAlign:
    """The same by torchvision: channels first, each box from its level."""

    def __init__(self, case):
        self.size, self.ratio = case.problem.output_size, case.problem.sampling_ratio
        self.planes = {
            k: v.permute(0, 3, 1, 2).contiguous().requires_grad_()
            for k, v in case.features.items()
        }
        self.upstream = case.upstream.flatten(0, 1).permute(0, 3, 1, 2).contiguous()
        batch, count = case.boxes.shape[:2]
        images = torch.arange(batch, device="cuda").repeat_interleave(count)
        flat = case.boxes.reshape(-1, 4)
        self.rois = torch.cat([images[:, None], flat[:, [1, 0, 3, 2]]], dim=1)
        sides = (flat[:, 2:] - flat[:, :2]).clamp(min=0)
        area = sides[:, 0] * sides[:, 1]
        levels = sorted(self.planes)
        level_of = torch.full_like(area, levels[0])
        for level in levels[1:]:
            level_of[area >= 224**2 * 4.0 ** (level - 4)] = level
        self.rows = {k: torch.where(level_of == k)[0] for k in levels}

    def forward(self):
        first = next(iter(self.planes.values()))
        shape = [len(self.rois), first.shape[1], self.size, self.size]
        pooled = first.new_zeros(shape)
        for level, rows in self.rows.items():
            pooled[rows] = torchvision.ops.roi_align(
                *[self.planes[level], self.rois[rows], self.size, 2.0**-level],
                *[self.ratio, True],
            )
        return pooled

    def both(self):
        pooled = self.forward()
        planes = list(self.planes.values())
        gradients = torch.autograd.grad(
            pooled, planes, self.upstream, allow_unused=True
        )
        return [pooled, *gradients]


def make_roi_align(
    kernels, *, batch, channels, extent, count, size, ratio, dtype, objects=None
):
    """Sides from 16 to 600 pixels, uniform in their logarithm.

    Args:
        objects: how many places the boxes gather around, as a trained detector's
            proposals do; None: they are anywhere.
    """
    features = {
        k: torch.rand([batch, extent[0] >> k, extent[1] >> k, channels], device="cuda")
        for k in LEVELS
    }
    draws = torch.rand([batch, objects or count, 4], device="cuda")
    if objects is not None:
        draws = draws[:, torch.randint(objects, [count], device="cuda")]
        draws = (draws + 0.05 * torch.randn([batch, count, 4], device="cuda")).clamp(
            0, 1
        )
    centres = draws[..., :2] * torch.tensor(extent, device="cuda")
    half = 8 * 37.5 ** draws[..., 2:]
    boxes = torch.cat([centres - half, centres + half], dim=-1).contiguous()
    features = {k: v.to(dtype) for k, v in features.items()}
    return RoiAlign(kernels, features, boxes, size, ratio)


class Nms:
    """NMS of boxes [B, N, 4], scores [B, N] and classes [B, N] or None."""

    def __init__(self, kernels, boxes, scores, classes, iou_threshold, max_outputs):
        self.kernels, self.boxes, self.scores = kernels, boxes, scores
        self.classes = classes
        batch, count = scores.shape
        self.problem = NmsProblem(batch, count, max_outputs, iou_threshold, -1.0)
        scratch = kernels.count_nms_scratch(self.problem)
        self.scratch = torch.empty(scratch, dtype=torch.uint8, device="cuda")
        self.indices = torch.empty([batch, max_outputs], dtype=torch.int32).cuda()
        self.num_valid = torch.empty([batch], dtype=torch.int32).cuda()
        # The threshold as float32, as the kernel has it.
        self.threshold = float(torch.tensor(iou_threshold))

    def run(self):
        # The op takes float32; a 16-bit model casts its boxes.
        self.kernels.call(
            "nms",
            *[self.problem, self.boxes.float(), self.scores.float(), self.classes],
            *[self.scratch, self.indices, self.num_valid, stream()],
        )
        return [self.indices, self.num_valid]

    def on_cpu(self):
        indices = torch.empty(self.indices.shape, dtype=torch.int32)
        num_valid = torch.empty(self.num_valid.shape, dtype=torch.int32)
        classes = None if self.classes is None else self.classes.cpu()
        self.kernels.call(
            "nms_cpu",
            *[self.problem, self.boxes.float().cpu(), self.scores.float().cpu()],
            *[classes, indices, num_valid],
        )
        return [indices, num_valid]

    def torchvision(self):
        """A list of indices for each image, as torchvision's detectors call it."""
        suppress = torchvision.ops.nms
        if self.classes is not None:
            suppress = torchvision.ops.batched_nms
        return [
            suppress(*arguments, self.threshold)[: self.problem.max_outputs]
            for arguments in self._by_image()
        ]

    def torchvision_exactly(self):
        """The same, class by class: batched_nms moves few boxes apart, and rounds."""
        lists = []
        for boxes, scores, *classes in self._by_image():
            kept = torch.zeros(len(scores), dtype=torch.bool, device="cuda")
            labels = classes[0] if classes else torch.zeros_like(scores)
            for label in labels.unique():
                rows = torch.where(labels == label)[0]
                best = torchvision.ops.nms(boxes[rows], scores[rows], self.threshold)
                kept[rows[best]] = True
            order = scores.argsort(descending=True)
            lists.append(order[kept[order]][: self.problem.max_outputs])
        return lists

    def _by_image(self):
        for b in range(self.problem.batch):
            classes = [] if self.classes is None else [self.classes[b]]
            yield [self.boxes[b][:, [1, 0, 3, 2]], self.scores[b], *classes]


def make_nms(kernels, *, batch, count, num_classes, max_outputs, dtype=torch.float32):
    """Boxes of 8 to 384 pixels, sized by their class, in an 800 x 1216 image.

    Args:
        num_classes: of an anchor's level, say; None: no classes are given.
    """
    classes, sizes = None, 100.0
    if num_classes is not None:
        classes = torch.randint(num_classes, [batch, count], device="cuda").int()
        sizes = 16 * 2.0 ** (classes % 5)[..., None]
    extent = torch.tensor([800, 1216], device="cuda")
    centres = torch.rand([batch, count, 2], device="cuda") * extent
    half = sizes * (0.5 + torch.rand([batch, count, 2], device="cuda")) / 2
    boxes = torch.cat([centres - half, centres + half], dim=-1)
    # Without equal scores, whose order torchvision leaves open.
    scores = torch.stack([torch.randperm(count, device="cuda") for _ in range(batch)])
    scores = scores.float() / count
    return Nms(kernels, boxes.to(dtype), scores.to(dtype), classes, 0.7, max_outputs)
