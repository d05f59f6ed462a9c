"""The table for GPUs: the CUDA kernels beside torchvision's. Needs PyTorch.

    python ops/benchmarks/gpu_table.py [--library FILE] [--json FILE]

Without `--library`, a file that kernel_library.py made, the kernels are compiled first.
They are compared with torchvision's CUDA ops and with our CPU kernels on random cases,
run 20 times for the same bits, and timed with CUDA events (medians of up to 50 runs,
the caches emptied before each), beside torchvision's and beside a copy.

RoIAlign: the pyramid of an 800 x 1216 image, 256 channels, 512 boxes an image, 7 x 7
bins of 2 x 2 samples; torchvision takes each box from its level, and has no bfloat16.
NMS: IoU 0.7, at most 2,000 kept. Ends with status 1 where the results disagree.
"""

import argparse
import itertools
import json
import pathlib
import statistics
import sys
import tempfile
import time

import torch
import torchvision
from gpu_cases import TorchvisionRoiAlign, make_nms, make_roi_align
from kernel_library import Kernels, build_library

RUNS = 50
SECONDS_PER_ROW = 0.3
REPEATS = 20
BATCHES = (1, 2, 8)
FULL_SIZE = {
    "channels": 256,
    "extent": (800, 1216),
    "count": 512,
    "size": 7,
    "ratio": 2,
}
TOLERANCES = {
    "roi_align, torchvision": 3e-5,
    "roi_align, our CPU kernels": 3e-5,
    # Two roundings to 8 bits: of the value and of nothing else.
    "roi_align, bfloat16 and float32": 2**-8,
    "nms, torchvision": 0,
    "nms, our CPU kernel": 0,
    "results of another run": 0,
}


def measure_difference(ours, theirs):
    """Returns the largest difference as a share of the largest value."""
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        if b is None:
            continue
        a, b = a.double(), b.double().to(a.device)
        error = float((a - b).abs().max() / b.abs().max().clamp(min=1e-3))
        # A NaN exceeds nothing: it must not pass.
        worst = max(worst, error if error == error else float("inf"))
    return worst


def make_small_case(kernels, seed, dtype):
    torch.manual_seed(seed)
    return make_roi_align(
        kernels,
        batch=1 + seed % 3,
        channels=[1, 3, 8, 20, 64, 257][seed % 6],
        extent=(256, 384),
        count=1 + 7 * seed % 60,
        size=1 + seed % 8,
        ratio=1 + seed % 3,
        dtype=dtype,
    )


def channels_last(pooled, gradients, shape):
    pooled = pooled.permute(0, 2, 3, 1).reshape(shape)
    return [pooled, *[k if k is None else k.permute(0, 2, 3, 1) for k in gradients]]


def compare_roi_align(kernels):
    """Yields (name, difference) of each random case."""
    for seed in range(60):
        case = make_small_case(kernels, seed, torch.float32)
        poison(case)
        ours = case.both()
        pooled, *gradients = TorchvisionRoiAlign(case).both()
        theirs = channels_last(pooled, gradients, ours[0].shape)
        yield "roi_align, torchvision", measure_difference(ours, theirs)
        if seed % 3 == 0:
            difference = measure_difference(ours, case.on_cpu())
            yield "roi_align, our CPU kernels", difference
        case = make_small_case(kernels, seed, torch.bfloat16)
        poison(case)
        difference = measure_difference(case.both(), case.in_float32().both())
        yield "roi_align, bfloat16 and float32", difference


def poison(case):
    """A kernel that leaves an element unwritten shows as NaN."""
    for output in [case.pooled, *case.gradients]:
        output.fill_(float("nan"))


def compare_nms(kernels):
    """Yields (name, how many lists differ) of each random case."""
    for seed in range(40):
        torch.manual_seed(seed)
        case = make_nms(
            kernels,
            batch=1 + seed % 3,
            count=1 + 197 * seed % 4000,
            num_classes=[None, 5, 40][seed % 3],
            max_outputs=[2000, 300][seed % 2],
        )
        indices, num_valid = case.run()
        lists = [row[:k].long() for row, k in zip(indices, num_valid, strict=True)]
        pairs = zip(lists, case.torchvision_exactly(), strict=True)
        yield "nms, torchvision", sum(not torch.equal(a, b) for a, b in pairs)
        expected, _ = case.on_cpu()
        unequal = (indices.cpu() != expected).any(dim=1)
        yield "nms, our CPU kernel", int(unequal.sum())


def count_unequal_repeats(kernels):
    """Yields (name, how many of the repeats gave other bits) of each case."""
    torch.manual_seed(0)
    runs = [
        make_roi_align(kernels, batch=2, dtype=dtype, objects=objects, **FULL_SIZE).both
        for dtype in (torch.float32, torch.bfloat16)
        for objects in (None, 12)
    ]
    runs.append(
        make_nms(kernels, batch=8, count=8700, num_classes=5, max_outputs=2000).run
    )
    for run in runs:
        first = [k.clone() for k in run()]
        unequal = 0
        for _ in range(REPEATS):
            again = run()
            unequal += not all(map(torch.equal, first, again))
        yield "results of another run", unequal


def check(kernels):
    """Returns {name: the largest difference}."""
    worst = dict.fromkeys(TOLERANCES, 0)
    for compare in (compare_roi_align, compare_nms, count_unequal_repeats):
        for name, difference in compare(kernels):
            worst[name] = max(worst[name], difference)
    return worst


class Timer:
    """Times what runs on the GPU, from caches that hold nothing of it."""

    def __init__(self):
        self.eviction = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")

    def time(self, run):
        """Returns the median milliseconds."""
        for _ in range(3):
            run()
        torch.cuda.synchronize()
        times, end_of_row = [], time.monotonic() + SECONDS_PER_ROW
        while len(times) < RUNS and (len(times) < 5 or time.monotonic() < end_of_row):
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            self.eviction.zero_()
            start.record()
            run()
            end.record()
            end.synchronize()
            times.append(start.elapsed_time(end))
        return statistics.median(times)


def make_row(op, batch, dtype, ours, theirs=None, moved=None):
    return {
        "op": op,
        "batch": batch,
        "dtype": str(dtype).removeprefix("torch."),
        "ours_ms": ours,
        "torchvision_ms": theirs,
        "times_as_fast": theirs and theirs / ours,
        "gb_per_s": moved and moved / ours * 1e-6,
    }


def time_roi_align(kernels, timer):
    for batch, dtype, objects in itertools.product(
        BATCHES, (torch.float32, torch.bfloat16), (None, 12)
    ):
        case = make_roi_align(
            kernels, batch=batch, dtype=dtype, objects=objects, **FULL_SIZE
        )
        moved = case.count_bytes()
        forward = both = None
        if dtype == torch.float32:
            theirs = TorchvisionRoiAlign(case)
            with torch.no_grad():
                forward = timer.time(theirs.forward)
            both = timer.time(theirs.both)
            del theirs
        place = "" if objects is None else f", {objects} objects"
        for name, run, other, size in (
            ("forward", case.forward, forward, moved),
            ("backward", case.backward, None, moved),
            ("forward + backward", case.both, both, 2 * moved),
        ):
            op = f"roi_align {name}{place}"
            yield make_row(op, batch, dtype, timer.time(run), other, size)


def time_nms(kernels, timer):
    cases = [(batch, 8700, 5) for batch in BATCHES]
    cases += [(1, count, None) for count in (2000, 6000, 12000)]
    for batch, count, num_classes in cases:
        for dtype in (torch.float32, torch.bfloat16):
            case = make_nms(
                kernels,
                batch=batch,
                count=count,
                num_classes=num_classes,
                max_outputs=2000,
                dtype=dtype,
            )
            theirs = timer.time(case.torchvision) if dtype == torch.float32 else None
            classes = "" if num_classes is None else f", {num_classes} classes"
            op = f"nms, {count:,} boxes{classes}"
            yield make_row(op, batch, dtype, timer.time(case.run), theirs)


def measure(kernels):
    """Returns everything, as a dict that JSON can hold."""
    torch.backends.cuda.matmul.allow_tf32 = False
    differences = check(kernels)
    timer = Timer()
    target = torch.empty_like(timer.eviction)
    source = torch.ones_like(target)
    copy = timer.time(lambda: target.copy_(source))
    torch.manual_seed(0)
    return {
        "gpu": torch.cuda.get_device_name(),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "copy_gb_per_s": 2 * target.numel() / copy * 1e-6,
        "differences": differences,
        "agrees": all(differences[k] <= v for k, v in TOLERANCES.items()),
        "rows": [*time_roi_align(kernels, timer), *time_nms(kernels, timer)],
    }


def format_report(report):
    lines = [
        f"{report['gpu']}, torch {report['torch']}, torchvision "
        f"{report['torchvision']}; a copy moves {report['copy_gb_per_s']:.0f} GB/s",
        "",
    ]
    for name, difference in report["differences"].items():
        verdict = "" if difference <= TOLERANCES[name] else " WRONG"
        lines.append(f"{name}: differs by {difference:.1e}{verdict}")
    lines += [
        "",
        "| op | batch | type | ours, ms | torchvision, ms | times as fast | GB/s |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        theirs, ratio, rate = (
            "–" if row[key] is None else f"{row[key]:{style}}"
            for key, style in (
                ("torchvision_ms", ".3f"),
                ("times_as_fast", ".2f"),
                ("gb_per_s", ".0f"),
            )
        )
        lines.append(
            f"| {row['op']} | {row['batch']} | {row['dtype']} "
            f"| {row['ours_ms']:.3f} | {theirs} | {ratio} | {rate} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", help="a file that kernel_library.py made")
    parser.add_argument("--json", help="write the results there too")
    flags = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("gpu_table.py: PyTorch sees no GPU.")
    with tempfile.TemporaryDirectory() as folder:
        library = flags.library
        if library is None:
            library = pathlib.Path(folder) / "kernels.so"
            major, minor = torch.cuda.get_device_capability()
            build_library(library, (10 * major + minor,))
        report = measure(Kernels(library))
    print(format_report(report))
    if flags.json:
        pathlib.Path(flags.json).write_text(json.dumps(report, indent=2) + "\n")
    sys.exit(not report["agrees"])


if __name__ == "__main__":
    main()
