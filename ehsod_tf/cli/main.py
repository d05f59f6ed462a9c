"""The `ehsod` command: its verbs, in the order in which one uses them."""

import argparse
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ehsod_tf.cli import data_sets, exports, flags, machine, runs
from ehsod_tf.cli.folder_flags import FolderFlags, take_folder_flags
from ehsod_tf.cli.predict import predict
from ehsod_tf.cli.sources import Source, pop_source


class Verb(NamedTuple):
    """One verb: what it does, an example, its function and its flags."""

    summary: str
    example: str
    command: Callable
    add_flags: Callable[[argparse.ArgumentParser], None]


GROUPS: dict[str, dict[str, Verb]] = {
    "set up": {
        "doctor": Verb(
            "check TensorFlow, CUDA and the compiled operations",
            "ehsod doctor",
            machine.doctor,
            flags.add_none,
        ),
        "download": Verb(
            "fetch a public data set; goes on where it stopped",
            "ehsod download voc2007 --data_dir datasets/voc",
            data_sets.download,
            flags.add_download,
        ),
    },
    "look at a data set": {
        "inspect": Verb(
            "say what is in a data set and what is wrong with it",
            "ehsod inspect datasets/mine",
            data_sets.inspect,
            flags.add_inspect,
        ),
        "split": Verb(
            "choose the images that keep their boxes",
            "ehsod split --coco boxes.json --images photos --percent 30",
            data_sets.split,
            flags.add_split,
        ),
        "convert": Verb(
            "write a data set in another form",
            "ehsod convert --coco boxes.json --images photos --to tfrecord "
            "--output records",
            data_sets.convert,
            flags.add_convert,
        ),
    },
    "train": {
        "train": Verb(
            "train a detector, or go on with a run that was stopped",
            "ehsod train --config quickstart, or: ehsod train datasets/mine",
            runs.train,
            flags.add_train,
        ),
        "evaluate": Verb(
            "compute the figures of a run or of one of its checkpoints",
            "ehsod evaluate --model_dir runs/quickstart",
            runs.evaluate,
            flags.add_evaluate,
        ),
        "report": Verb(
            "write the report of a run again, or set several runs side by side",
            "ehsod report runs/quickstart runs/boxes_only",
            runs.report,
            flags.add_report,
        ),
    },
    "use": {
        "predict": Verb(
            "find objects on images: COCO results, drawn pictures, a page",
            "ehsod predict runs/quickstart photos --output predictions",
            predict,
            flags.add_predict,
        ),
        "export": Verb(
            "write the detector for TensorFlow, ONNX Runtime, OpenVINO or LiteRT",
            "ehsod export --model_dir runs/quickstart --output exported/saved_model",
            exports.export,
            flags.add_export,
        ),
    },
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one verb; `arguments` are the command line's by default."""
    parser = argparse.ArgumentParser(
        prog="ehsod",
        usage="ehsod verb [flags]",
        description="Object detectors from boxes on some images, labels on the rest.",
        epilog=_describe_verbs(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(
        dest="verb", required=True, metavar="verb", help=argparse.SUPPRESS
    )
    for group in GROUPS.values():
        for name, verb in group.items():
            _add_verb(verbs.add_parser(name, **_describe(verb, f"ehsod {name}")), verb)
    _run(parser, arguments)


def run_script(name: str, script: str, arguments: Sequence[str] | None = None) -> None:
    """Runs one verb as a script of its own, such as `train.py`."""
    _run(make_parser(name, script), arguments)


def make_parser(name: str, prog: str | None = None) -> argparse.ArgumentParser:
    """The parser of one verb's flags."""
    verb = next(group[name] for group in GROUPS.values() if name in group)
    parser = argparse.ArgumentParser(**_describe(verb, prog or f"ehsod {name}"))
    return _add_verb(parser, verb)


def _describe(verb: Verb, prog: str) -> dict:
    return {
        "prog": prog,
        "description": f"{verb.summary[0].upper()}{verb.summary[1:]}.",
        "epilog": f"example:\n  {verb.example}",
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }


def _add_verb(parser: argparse.ArgumentParser, verb: Verb) -> argparse.ArgumentParser:
    verb.add_flags(parser)
    parser.set_defaults(command=verb.command)
    return parser


def _run(parser, arguments):
    values = vars(parser.parse_args(arguments))
    command: Callable = values.pop("command")
    values.pop("verb", None)
    if set(Source._fields) <= set(values):
        values["source"] = pop_source(values)
    elif set(FolderFlags._fields) <= set(values):
        folder = take_folder_flags(values)
        for name in FolderFlags._fields:
            del values[name]
        values["folder"] = folder
    command(**values)


def _describe_verbs() -> str:
    lines = []
    for title, group in GROUPS.items():
        lines.append(f"{title}:")
        for name, verb in group.items():
            lines.append(f"  {name:9} {verb.summary}")
            lines.append(f"  {'':9}   {verb.example}")
        lines.append("")
    return "\n".join([*lines, "ehsod verb --help lists the flags of a verb."])
