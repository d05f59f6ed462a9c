"""Where a step's time goes: TensorFlow's trace, summed by kernel.

Reads the trace file itself: the profiler's own tools are a package of their own. On a
GPU this needs CUPTI (libcupti.so.12 where the loader finds it); without it, and on a
CPU, the trace holds the host's operations alone, and these are summed.
"""

import collections
import glob
import os
import re

GROUPS = (
    ("RoIAlign and NMS", r"ehsod|roi_align|nms|suppress"),
    (
        "convolution and products",
        r"conv|Conv|gemm|MatMul|wgrad|dgrad|xmma|cutlass|cudnn|nvjet",
    ),
    ("layout and copies", r"transpose|permute|nchw|nhwc|Memcpy|memcpy|Memset|memset"),
    ("sort and top-k", r"sort|topk|top_k|radix|cub::"),
    ("reductions", r"[Rr]educe|[Bb]iasGrad|[Ss]oftmax|[Cc]umsum|[Ss]can"),
    ("gather and scatter", r"[Gg]ather|[Ss]catter|[Ss]lice|[Pp]ad|[Cc]oncat|[Ss]plit"),
    ("elementwise", r"."),
)


def sum_trace(folder, steps) -> dict:
    """Sums a trace of `steps` steps; all figures are for one step.

    Returns:
        {"device": "gpu" or "host", "busy_ms": time in kernels, "launches": kernels,
        "groups": {group: [ms, launches]}, "kernels": {name: [ms, launches]}}, the
        costliest kernels first.
    """
    # Part of TensorFlow's wheel, not of its interface.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    for path in glob.glob(os.path.join(folder, "**", "*.xplane.pb"), recursive=True):
        with open(path, "rb") as file:
            space.MergeFromString(file.read())
    planes = [p for p in space.planes if p.name.startswith("/device:GPU")]
    device = "gpu" if any(_read_events(plane) for plane in planes) else "host"
    if device == "host":
        planes = [p for p in space.planes if p.name == "/host:CPU"]
    milliseconds, launches = collections.Counter(), collections.Counter()
    for plane in planes:
        for name, duration in _read_events(plane):
            name = _shorten(name) if device == "gpu" else _name_operation(name)
            if name:
                milliseconds[name] += duration / steps
                launches[name] += 1 / steps
    return {
        "device": device,
        "busy_ms": sum(milliseconds.values()),
        "launches": sum(launches.values()),
        "groups": _sum_groups(milliseconds, launches),
        "kernels": {
            name: [value, launches[name]] for name, value in milliseconds.most_common()
        },
    }


def _read_events(plane):
    """(name, milliseconds) of what ran; derived lines repeat the streams' events."""
    return [
        (plane.event_metadata[event.metadata_id].name, event.duration_ps * 1e-9)
        for line in plane.lines
        if not plane.name.startswith("/device") or line.name.startswith("Stream")
        for event in line.events
    ]


def _name_operation(name):
    """The type of a host event's operation ("node:Type"), "" for what is none."""
    match = re.fullmatch(r"[^:]+:([A-Z_]\w*)", name)
    return match.group(1) if match else ""


def _shorten(name):
    """A kernel's name without the arguments of its templates."""
    name = re.sub(r"^void ", "", name)
    return re.sub(r"\(.*$", "", name)[:150]


def _sum_groups(milliseconds, launches):
    groups = {group: [0.0, 0.0] for group, _ in GROUPS}
    for name, value in milliseconds.items():
        group = next(g for g, pattern in GROUPS if re.search(pattern, name))
        groups[group][0] += value
        groups[group][1] += launches[name]
    return {group: figures for group, figures in groups.items() if figures[1]}
