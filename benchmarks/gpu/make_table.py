"""The speed table for the machine at hand: our detector beside torchvision's.

    python benchmarks/gpu/make_table.py --out speed --torch_python ../torch/bin/python

Run it in our environment. torchvision's Faster R-CNN runs in another one, whose Python
`--torch_python` names; without it our side is timed alone. Times are medians of single
steps, each with its scalars fetched. On a GPU it also measures memory, the ops
(`ops/benchmarks/gpu_table.py`) and where a step's time goes; on a CPU, where the two
take turns step by step, the costs of the graph that stand for it. Writes
``speed.json`` and ``speed.md`` to `--out`.

Parts, for `--only`: rows of `cases.py` by name, such as train_8; "profile", "ops",
"graph".
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

import cases
import report
from peer import FOLDER, Peer, clean_environment

OPS_TABLE = FOLDER.parents[1] / "ops" / "benchmarks" / "gpu_table.py"


DEFAULT_PARTS = {
    "gpu": (*(case.name for case in cases.GPU_CASES), "profile", "ops"),
    "cpu": (*(case.name for case in cases.CPU_CASES), "graph"),
}


def main():
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    has_gpu = find_gpu()
    parts = arguments.only or DEFAULT_PARTS["gpu" if has_gpu else "cpu"]
    setting = Setting(arguments, has_gpu)
    results = {"canvas": setting.canvas, "device": None, "rows": [], "facts": {}}
    try:
        measure(setting, parts, results, has_gpu, arguments.torch_python)
    finally:
        # What was measured before an error is worth its minutes.
        (arguments.out / "speed.json").write_text(json.dumps(results, indent=1) + "\n")
    text = report.write_markdown(results)
    (arguments.out / "speed.md").write_text(text)
    print(text)


def measure(setting, parts, results, has_gpu, torch_python):
    if has_gpu:
        measure_gpu(setting, parts, results)
    else:
        measure_cpu(setting, parts, results)
    if "graph" in parts:
        results["graphs"] = measure_graphs(setting)
    if "ops" in parts:
        results["ops"] = run_ops_table(torch_python)


class Setting:
    """What the command line asks for, and how the two sides are started."""

    def __init__(self, arguments, has_gpu):
        self._arguments = arguments
        self.cases = cases.GPU_CASES if has_gpu else cases.CPU_CASES
        self.canvas = cases.GPU_CANVAS if has_gpu else cases.CPU_CANVAS
        if arguments.tiny:
            self.canvas = cases.TINY_CANVAS
        self.steps = arguments.steps or (20 if has_gpu else 7)
        # The first steps on a GPU try algorithms.
        self.warmup = 5 if has_gpu else 1

    def start_ours(self, precision, canvas=None):
        command = [sys.executable, str(FOLDER / "detector_worker.py")]
        command += ["--precision", precision, *self._shared(canvas or self.canvas)]
        if self._arguments.channels_first:
            command.append("--channels_first")
        return Peer(command)

    def start_torchvision(self):
        """The peer, or None where there is no environment for it."""
        if self._arguments.torch_python is None:
            return None
        script = str(FOLDER / "torchvision_worker.py")
        command = [self._arguments.torch_python, script, *self._shared(self.canvas)]
        return Peer(command, env=clean_environment())

    def _shared(self, canvas):
        threads = ["--threads", str(self._arguments.threads)]
        return ["--canvas", *map(str, canvas), *threads]


def measure_gpu(setting, parts, results):
    """One process after the other, so that neither takes the other's memory or time."""
    rows = {
        case.name: {**vars(case), "label": case.label}
        for case in setting.cases
        if case.name in parts
    }
    results["rows"] = list(rows.values())
    precisions = ("float32", "bfloat16")
    for precision in precisions:
        chosen = [c for c in setting.cases if c.precision == precision]
        if not any(case.name in rows for case in chosen) and "profile" not in parts:
            continue
        ours = setting.start_ours(precision)
        results["facts"] |= ours.facts
        for case in chosen:
            if case.name in rows:
                rows[case.name]["ours"] = time_case(ours, case, setting)
        if "profile" in parts:
            profile = ours.ask(do="profile", kind="training", batch=8, steps=3)
            results.setdefault("profiles", {})[precision] = profile
        ours.close()
    theirs = setting.start_torchvision() if rows else None
    if theirs is not None:
        results["facts"] |= theirs.facts
        for case in setting.cases:
            if case.name in rows:
                rows[case.name]["torchvision"] = time_case(theirs, case, setting)
        theirs.close()


def measure_cpu(setting, parts, results):
    """Both at once, one step each in turn: the machine's own changes hit both alike."""
    chosen = [case for case in setting.cases if case.name in parts]
    if not chosen:
        return
    theirs, ours = setting.start_torchvision(), setting.start_ours("float32")
    sides = {"ours": ours} | ({"torchvision": theirs} if theirs is not None else {})
    for peer in reversed(sides.values()):
        results["facts"] |= peer.facts
    for case in chosen:
        row = {name: {"seconds": []} for name in sides}
        for turn in range(setting.steps):
            for name, peer in sides.items():
                answer = ask_time(peer, case, 1 if turn == 0 else 0, 1)
                row[name] |= {k: v for k, v in answer.items() if k != "seconds"}
                row[name]["seconds"] += answer["seconds"]
        for side in row.values():
            side["median"] = statistics.median(side["seconds"])
        results["rows"].append({**vars(case), "label": case.label, **row})
    for peer in sides.values():
        peer.close()


def measure_graphs(setting):
    """The costs of both graphs, at the GPU's canvas; runs them once, at a tiny one."""
    graphs = {}
    for kind in ("training", "inference"):
        # A process each: graphs are kept only where a function first runs.
        ours = setting.start_ours("float32", cases.TINY_CANVAS)
        canvas = cases.GPU_CANVAS
        graphs[kind] = ours.ask(do="graph", kind=kind, batch=2, canvas=canvas)
        ours.close()
    return graphs


def time_case(peer, case, setting):
    answer = ask_time(peer, case, setting.warmup, setting.steps)
    return {**answer, "median": statistics.median(answer["seconds"])}


def ask_time(peer, case, warmup, steps):
    return peer.ask(
        do="time",
        kind=case.kind,
        batch=case.batch,
        precision=case.precision,
        warmup=warmup,
        steps=steps,
    )


def run_ops_table(torch_python):
    """What the table of the ops prints; "" where it cannot run."""
    if torch_python is None:
        return ""
    run = subprocess.run(
        [torch_python, str(OPS_TABLE)],
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    return run.stdout + run.stderr


def find_gpu():
    """Asked in a process of its own: TensorFlow would hold the GPU's memory here."""
    question = (
        "import tensorflow as t; print(len(t.config.list_physical_devices('GPU')))"
    )
    run = subprocess.run(
        [sys.executable, "-c", question], capture_output=True, text=True
    )
    return run.stdout.strip() not in ("", "0")


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--torch_python")
    parser.add_argument("--only", nargs="+", help="parts to run; default: all")
    parser.add_argument("--steps", type=int, help="default: 20 on a GPU, 7 on a CPU")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    parser.add_argument(
        "--channels_first",
        action="store_true",
        help="our side as TensorFlow's layout optimiser would have it",
    )
    parser.add_argument(
        "--tiny", action="store_true", help="a canvas of 96 x 128, to try the script"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
