"""The table for GPUs: the CUDA kernels beside torchvision's. Needs PyTorch and nvcc.

    python ops/benchmarks/gpu_table.py

Compiles the kernels for the GPU at hand, compares them with torchvision's CUDA ops on
random cases, times both with CUDA events (medians of 50), and prints achieved bytes a
second beside those of a copy. RoIAlign: the pyramid of an 800 x 1216 image, 256
channels, 512 boxes, 7 x 7 bins of 2 x 2 samples; torchvision takes each box from its
level. NMS: one image, IoU 0.7, at most 2,000 kept. Ends with status 1 where the results
disagree.
"""

import argparse
import ctypes
import pathlib
import statistics
import subprocess
import sys
import tempfile

import torch
import torchvision

OPS = pathlib.Path(__file__).resolve().parents[1]
SOURCES = (
    "benchmarks/torch_binding.cu",
    "kernels/roi_align_cuda.cu",
    "kernels/non_max_suppression_cuda.cu",
    "kernels/roi_align_setup.cc",
    "kernels/non_max_suppression_cpu.cc",
)
DTYPES = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}
RUNS = 50
HEIGHT, WIDTH, CHANNELS, ROIS, LEVELS = 800, 1216, 256, 512, range(2, 6)
MAX_LEVELS = 17


class RoiAlignProblem(ctypes.Structure):
    """As in include/ehsod/roi_align.h."""

    _fields_ = [
        (name, ctypes.c_int64)
        for name in (
            "batch",
            "num_boxes",
            "channels",
            "output_size",
            "sampling_ratio",
            "min_level",
            "num_levels",
        )
    ]
    _fields_ += [(k, ctypes.c_int64 * MAX_LEVELS) for k in ("heights", "widths")]


class NmsProblem(ctypes.Structure):
    """As in include/ehsod/non_max_suppression.h."""

    _fields_ = [(k, ctypes.c_int64) for k in ("batch", "num_boxes", "max_outputs")]
    _fields_ += [(k, ctypes.c_float) for k in ("iou_threshold", "score_threshold")]


def compile_kernels(folder):
    library = str(pathlib.Path(folder) / "kernels.so")
    # One set of flags for all: -fmad=false costs RoIAlign nothing that memory leaves.
    subprocess.run(
        ["nvcc", "-O3", "-std=c++17", "-arch=native", "-fmad=false", "-shared"]
        + ["-Xcompiler", "-fPIC,-ffp-contract=off", "-I", str(OPS / "include")]
        + [str(OPS / k) for k in SOURCES]
        + ["-o", library],
        check=True,
    )
    kernels = ctypes.CDLL(library)
    for name in ("roi_align_forward", "roi_align_backward", "nms"):
        getattr(kernels, f"ehsod_{name}").restype = ctypes.c_char_p
    kernels.ehsod_nms_scratch.restype = ctypes.c_size_t
    return kernels


def pointer(tensor):
    return ctypes.c_void_p(tensor.data_ptr())


def pointers(tensors):
    return (ctypes.c_void_p * len(tensors))(*[k.data_ptr() for k in tensors])


def stream():
    return ctypes.c_void_p(torch.cuda.current_stream().cuda_stream)


def expect_success(message):
    if message is not None:
        sys.exit(f"gpu_table.py: {message.decode()}")


class RoiAlign:
    """One case for both sides; `features` are channels last."""

    def __init__(self, kernels, features, boxes, size, ratio):
        self.kernels, self.features, self.boxes = kernels, features, boxes
        batch, count = boxes.shape[:2]
        levels = sorted(features)
        maps = [features[k] for k in levels]
        self.problem = RoiAlignProblem(
            batch, count, maps[0].shape[3], size, ratio, levels[0], len(levels)
        )
        for k, feature_map in enumerate(maps):
            self.problem.heights[k], self.problem.widths[k] = feature_map.shape[1:3]
        self.dtype = DTYPES[maps[0].dtype]
        self.pooled = maps[0].new_empty([batch, count, size, size, maps[0].shape[3]])
        self.gradients = [torch.empty_like(k) for k in maps]
        self.maps = maps
        # torchvision's side: channels first, one set of rows for each level.
        self.planes = {
            k: v.permute(0, 3, 1, 2).contiguous().requires_grad_()
            for k, v in features.items()
        }
        images = torch.arange(batch, device=boxes.device).repeat_interleave(count)
        flat = boxes.reshape(-1, 4)
        self.rois = torch.cat([images[:, None], flat[:, [1, 0, 3, 2]]], dim=1)
        sides = (flat[:, 2:] - flat[:, :2]).clamp(min=0)
        area = sides[:, 0] * sides[:, 1]
        level_of = torch.full_like(area, levels[0])
        for level in levels[1:]:
            level_of[area >= 224**2 * 4.0 ** (level - 4)] = level
        self.rows = {k: torch.where(level_of == k)[0] for k in levels}

    def forward(self):
        expect_success(
            self.kernels.ehsod_roi_align_forward(
                self.dtype,
                ctypes.byref(self.problem),
                pointers(self.maps),
                pointer(self.boxes),
                pointer(self.pooled),
                stream(),
            )
        )
        return self.pooled

    def backward(self, upstream):
        expect_success(
            self.kernels.ehsod_roi_align_backward(
                self.dtype,
                ctypes.byref(self.problem),
                pointer(self.boxes),
                pointer(upstream),
                pointers(self.gradients),
                stream(),
            )
        )
        return self.gradients

    def torchvision_forward(self):
        size, ratio = self.problem.output_size, self.problem.sampling_ratio
        first = next(iter(self.planes.values()))
        pooled = first.new_zeros([len(self.rois), first.shape[1], size, size])
        for level, rows in self.rows.items():
            rois = self.rois[rows].to(first.dtype)
            pooled[rows] = torchvision.ops.roi_align(
                self.planes[level], rois, size, 2.0**-level, ratio, aligned=True
            )
        return pooled

    def torchvision_backward(self, pooled, upstream):
        planes = list(self.planes.values())
        return torch.autograd.grad(pooled, planes, upstream, allow_unused=True)


def channels_first(upstream):
    return upstream.flatten(0, 1).permute(0, 3, 1, 2).contiguous()


def make_case(kernels, *, batch, channels, extent, count, size, ratio, dtype):
    features = {
        k: torch.rand(
            [batch, extent[0] >> k, extent[1] >> k, channels], device="cuda"
        ).to(dtype)
        for k in LEVELS
    }
    centres = torch.rand([batch, count, 2], device="cuda")
    centres *= torch.tensor(extent, device="cuda")
    # Sides from 16 to 600 pixels, uniform in their logarithm.
    half = 8 * 37.5 ** torch.rand([batch, count, 2], device="cuda")
    boxes = torch.cat([centres - half, centres + half], dim=-1)
    return RoiAlign(kernels, features, boxes.contiguous(), size, ratio)


def compare_roi_align(kernels):
    """Returns the largest difference as a share of the largest value, float32."""
    worst = 0.0
    for seed in range(100):
        torch.manual_seed(seed)
        case = make_case(
            kernels,
            batch=1 + seed % 3,
            channels=[1, 3, 8, 20, 64, 257][seed % 6],
            extent=(256, 384),
            count=1 + 7 * seed % 60,
            size=1 + seed % 8,
            ratio=1 + seed % 3,
            dtype=torch.float32,
        )
        upstream = torch.rand_like(case.pooled)
        pooled = case.torchvision_forward()
        gradients = case.torchvision_backward(pooled, channels_first(upstream))
        pairs = [(case.forward().flatten(0, 1), pooled)]
        pairs += list(zip(case.backward(upstream), gradients, strict=True))
        for ours, theirs in pairs:
            if theirs is not None:
                error = (ours.permute(0, 3, 1, 2) - theirs).abs().max()
                worst = max(worst, float(error / theirs.abs().max().clamp(min=1e-3)))
    return worst


def make_nms(kernels, count, seed):
    torch.manual_seed(seed)
    extent = torch.tensor([HEIGHT, WIDTH], device="cuda")
    corners = torch.rand([count, 2], device="cuda") * extent
    sides = 20 + 180 * torch.rand([count, 2], device="cuda")
    boxes = torch.cat([corners, corners + sides], dim=-1)
    # Without equal scores, whose order torchvision leaves open.
    scores = torch.randperm(count, device="cuda").float() / count
    problem = NmsProblem(1, count, 2000, 0.7, -1.0)
    scratch = torch.empty(
        kernels.ehsod_nms_scratch(ctypes.byref(problem)),
        dtype=torch.uint8,
        device="cuda",
    )
    indices = torch.empty(2000, dtype=torch.int32, device="cuda")
    num_valid = torch.empty(1, dtype=torch.int32, device="cuda")

    def ours():
        expect_success(
            kernels.ehsod_nms(
                ctypes.byref(problem),
                pointer(boxes),
                pointer(scores),
                None,
                pointer(scratch),
                pointer(indices),
                pointer(num_valid),
                stream(),
            )
        )
        return indices, num_valid

    swapped = boxes[:, [1, 0, 3, 2]].contiguous()
    # The threshold as float32, as the kernel has it.
    threshold = float(torch.tensor(0.7))
    return ours, lambda: torchvision.ops.nms(swapped, scores, threshold)[:2000]


def count_unequal_nms(kernels):
    unequal = 0
    for seed in range(100):
        ours, theirs = make_nms(kernels, 1 + 97 * seed % 4000, seed)
        (indices, num_valid), expected = ours(), theirs()
        unequal += not torch.equal(indices[: int(num_valid)].long(), expected)
    return unequal


def time_run(run):
    """Returns the median milliseconds."""
    for _ in range(5):
        run()
    times = []
    for _ in range(RUNS):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def print_row(label, ours, theirs, moved=None):
    rate = "" if moved is None else f"{moved / ours * 1e-6:.0f}"
    print(f"| {label} | {ours:.3f} | {theirs:.3f} | {theirs / ours:.2f} | {rate} |")


def print_table(kernels):
    source = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    rate = 2 * source.numel() / time_run(lambda: target.copy_(source)) * 1e-6
    print(
        f"{torch.cuda.get_device_name()}, torch {torch.__version__}, torchvision "
        f"{torchvision.__version__}; a copy moves {rate:.0f} GB/s\n\n"
        "| op | ours, ms | torchvision, ms | times as fast | GB/s |\n"
        "|---|---|---|---|---|"
    )
    for dtype in DTYPES:
        case = make_case(
            kernels,
            batch=1,
            channels=CHANNELS,
            extent=(HEIGHT, WIDTH),
            count=ROIS,
            size=7,
            ratio=2,
            dtype=dtype,
        )
        upstream = torch.rand_like(case.pooled)
        theirs_upstream = channels_first(upstream)
        moved = sum(k.numel() for k in [case.pooled, *case.maps]) * upstream.itemsize
        name = str(dtype).removeprefix("torch.")
        with torch.no_grad():
            theirs = time_run(case.torchvision_forward)
        print_row(f"roi_align forward, {name}", time_run(case.forward), theirs, moved)

        def ours_both(case=case, upstream=upstream):
            case.forward()
            case.backward(upstream)

        def theirs_both(case=case, upstream=theirs_upstream):
            case.torchvision_backward(case.torchvision_forward(), upstream)

        label = f"roi_align forward + backward, {name}"
        print_row(label, time_run(ours_both), time_run(theirs_both), 2 * moved)
    for count in (2000, 6000, 12000):
        ours, theirs = make_nms(kernels, count, 0)
        print_row(f"nms, {count:,} boxes", time_run(ours), time_run(theirs))


def main():
    argparse.ArgumentParser(description=__doc__.split("\n")[0]).parse_args()
    if not torch.cuda.is_available():
        sys.exit("gpu_table.py: PyTorch sees no GPU.")
    with tempfile.TemporaryDirectory() as folder:
        kernels = compile_kernels(folder)
        difference, unequal = compare_roi_align(kernels), count_unequal_nms(kernels)
        print(
            f"100 cases each: roi_align differs by {difference:.1e} of the largest "
            f"value, {unequal} NMS lists differ\n"
        )
        print_table(kernels)
    sys.exit(difference > 3e-5 or unequal > 0)


if __name__ == "__main__":
    main()
