"""The `ehsod` command: its verbs and their flags."""

import argparse
from collections.abc import Callable, Sequence

from ehsod_tf.cli import data_sets, machine, runs
from ehsod_tf.cli.sources import Source, add_source_arguments, pop_source


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one verb; `arguments` are the command line's by default."""
    parser = argparse.ArgumentParser(
        prog="ehsod", description="Detectors from boxes on some images, labels on more."
    )
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="verb")
    for add_verb in (
        _add_inspect,
        _add_split,
        _add_convert,
        _add_download,
        _add_export,
        _add_doctor,
    ):
        add_verb(verbs)
    values = vars(parser.parse_args(arguments))
    command: Callable = values.pop("command")
    del values["verb"]
    if set(Source._fields) <= set(values):
        values["source"] = pop_source(values)
    command(**values)


def _add_verb(verbs, name, command, summary):
    verb = verbs.add_parser(name, help=summary, description=summary)
    verb.set_defaults(command=command)
    return verb


def _add_inspect(verbs):
    verb = _add_verb(
        verbs, "inspect", data_sets.inspect, "say what is in a data set and what is bad"
    )
    add_source_arguments(verb)
    verb.add_argument("--output", default="inspection.html", help="the page to write")
    verb.add_argument("--split_file", help="look at it under this split")
    verb.add_argument(
        "--batch", help="look at this nonfinite_step_N.npz of a run instead"
    )


def _add_split(verbs):
    verb = _add_verb(
        verbs, "split", data_sets.split, "choose the images that keep their boxes"
    )
    add_source_arguments(verb)
    verb.add_argument("--output", default="split.json", help="the split to write")
    verb.add_argument("--percent", type=float, help="share of the boxed images")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument(
        "--stratified", action="store_true", help="keep the share of every class"
    )
    verb.add_argument(
        "--from_ids", "--from-ids", help="a file of image ids or names, one a line"
    )
    _add_skip_bad(verb)


def _add_convert(verbs):
    verb = _add_verb(
        verbs, "convert", data_sets.convert, "write a data set in another form"
    )
    add_source_arguments(verb)
    verb.add_argument("--to", choices=("coco", "tfrecord"), required=True)
    verb.add_argument("--output", required=True, help="a JSON file or a folder")
    verb.add_argument("--shards", type=int, default=16, help="TFRecord files")
    verb.add_argument("--split_file", help="drop the boxes that it takes away")
    _add_skip_bad(verb)


def _add_download(verbs):
    verb = _add_verb(
        verbs, "download", data_sets.download, "fetch a public data set, resumably"
    )
    verb.add_argument("name", choices=("voc2007", "coco2017"))
    verb.add_argument("--data_dir", required=True, help="the folder to fill")
    verb.add_argument("--keep_archives", action="store_true")


def _add_export(verbs):
    verb = _add_verb(verbs, "export", runs.export, "write a SavedModel from a run")
    verb.add_argument("--model_dir", required=True, help="run folder of train.py")
    verb.add_argument("--output", required=True, help="folder of the SavedModel")
    verb.add_argument("--checkpoint", help="default: the run's newest")
    verb.add_argument(
        "--averaged", action="store_true", help="moving averages of the weights"
    )
    verb.add_argument("--gin_bindings", action="append", default=[])
    verb.add_argument("--ops", choices=("stock", "native"), default="stock")


def _add_doctor(verbs):
    _add_verb(
        verbs,
        "doctor",
        machine.doctor,
        "check TensorFlow, CUDA and the compiled operations",
    )


def _add_skip_bad(verb):
    verb.add_argument(
        "--skip_bad",
        action="store_true",
        help="leave out images with problems, and list them, instead of stopping",
    )
