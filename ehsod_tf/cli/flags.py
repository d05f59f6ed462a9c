"""The flags of the verbs. Each name is that of an argument of the verb's function."""

import argparse

from ehsod_tf.cli.folder_flags import add_folder_arguments
from ehsod_tf.cli.sources import WRITTEN, add_source_arguments

Parser = argparse.ArgumentParser


def add_none(parser: Parser) -> None:
    """A verb without flags."""


def add_download(parser: Parser) -> None:
    parser.add_argument("name", choices=("voc2007", "coco2017"))
    parser.add_argument("--data_dir", required=True, help="the folder to fill")
    parser.add_argument("--keep_archives", action="store_true")


def add_inspect(parser: Parser) -> None:
    add_source_arguments(parser)
    parser.add_argument("--output", default="inspection.html", help="the page to write")
    parser.add_argument("--split_file", help="look at it under this split")
    parser.add_argument(
        "--batch", help="look at this nonfinite_step_N.npz of a run instead"
    )


def add_split(parser: Parser) -> None:
    add_source_arguments(parser)
    parser.add_argument("--output", default="split.json", help="the split to write")
    parser.add_argument("--percent", type=float, help="share of the boxed images")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--stratified", action="store_true", help="keep the share of every class"
    )
    parser.add_argument(
        "--from_ids", "--from-ids", help="a file of image ids or names, one a line"
    )
    _add_skip_bad(parser)


def add_convert(parser: Parser) -> None:
    add_source_arguments(parser)
    parser.add_argument(
        "--to",
        choices=(*WRITTEN, "predictions"),
        required=True,
        help="a form, or predictions: a machine's boxes in Label Studio's JSON",
    )
    parser.add_argument("--output", required=True, help="a JSON file or a folder")
    parser.add_argument("--shards", type=int, help="TFRecord files; default: 16")
    parser.add_argument("--split_file", help="drop the boxes that it takes away")
    _add_skip_bad(parser)


def add_train(parser: Parser) -> None:
    parser.add_argument("--config", help="a .gin file, or a name such as quickstart")
    add_folder_arguments(
        parser.add_argument_group(
            "a folder in place of a config",
            "its forms are recognised, and a config is written into the run folder",
        )
    )
    parser.add_argument("--model_dir", help="run folder; default: runs/<config name>")
    _add_overrides(parser)
    _add_skip_bad(parser)
    parser.add_argument(
        "--strategy",
        choices=("auto", "mirrored", "multi_worker"),
        default="auto",
        help="all devices of this machine, or all machines of TF_CONFIG",
    )
    parser.add_argument(
        "--cross_device_ops",
        choices=("auto", "nccl", "hierarchical"),
        default="auto",
        help="how the gradients of several devices are summed",
    )
    _add_verbosity(parser)


def add_evaluate(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--config", help="default: the run's own operative_config.gin")
    _add_overrides(parser)
    _add_weights(parser)
    parser.add_argument("--output_dir", help="for metrics.json and detections.json")
    parser.add_argument("--export", help="also write a SavedModel to this folder")
    _add_ops(parser)
    _add_verbosity(parser)


def add_report(parser: Parser) -> None:
    parser.add_argument(
        "model_dirs",
        nargs="+",
        metavar="model_dir",
        help="a run folder; several are set side by side",
    )
    parser.add_argument(
        "--output",
        help="the page of several runs, comparison.html by default; that of one is its "
        "report.html",
    )
    _add_overrides(parser)


def add_predict(parser: Parser) -> None:
    parser.add_argument("model", help="a run folder, a checkpoint or a SavedModel")
    parser.add_argument(
        "images",
        nargs="+",
        help="files, folders (such as the frames of a video) or patterns",
    )
    parser.add_argument("--output", default="predictions", help="the folder to fill")
    parser.add_argument(
        "--score_threshold",
        type=float,
        default=0.3,
        help="weaker detections are left out (default: 0.3)",
    )
    _add_averaged(parser)
    parser.add_argument(
        "--no_pictures",
        dest="pictures",
        action="store_false",
        help="write the COCO results only",
    )
    _add_verbosity(parser)


def add_export(parser: Parser) -> None:
    _add_run(parser)
    parser.add_argument("--output", required=True, help="the folder to write")
    parser.add_argument(
        "--to",
        choices=("saved_model", "onnx", "openvino", "litert"),
        default="saved_model",
        help="what for: TensorFlow (default), ONNX Runtime, OpenVINO or LiteRT",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="of the weights, not in a SavedModel (default: float32)",
    )
    parser.add_argument(
        "--calibration",
        nargs="+",
        default=[],
        help="images for int8 with ONNX and OpenVINO: files, folders or patterns",
    )
    _add_weights(parser)
    _add_bindings(parser)
    _add_ops(parser)
    parser.add_argument(
        "--normalized_boxes",
        action="store_true",
        help="boxes as shares of the image's height and width, not in pixels",
    )
    parser.add_argument(
        "--names_as_output",
        action="store_true",
        help="give class names with the detections, as detection_class_names",
    )


def _add_run(parser):
    parser.add_argument("--model_dir", required=True, help="the run folder")


def _add_overrides(parser):
    _add_bindings(parser)
    parser.add_argument("--data_dir", help="folder of the data set; sets DATA_DIR")


def _add_bindings(parser):
    parser.add_argument(
        "--gin_bindings",
        action="append",
        default=[],
        help="a line of configuration; may be repeated",
    )


def _add_weights(parser):
    parser.add_argument("--checkpoint", help="default: the run's newest")
    _add_averaged(parser)


def _add_averaged(parser):
    parser.add_argument(
        "--averaged", action="store_true", help="take the moving averages of weights"
    )


def _add_ops(parser):
    parser.add_argument(
        "--ops",
        choices=("stock", "native"),
        default="stock",
        help="operations of the SavedModel (default: stock)",
    )


def _add_skip_bad(parser):
    parser.add_argument(
        "--skip_bad",
        action="store_true",
        help="leave out images with problems, and list them, instead of stopping",
    )


def _add_verbosity(parser):
    parser.add_argument(
        "--verbosity",
        choices=("quiet", "normal", "debug"),
        default="normal",
        help="quiet: only results and warnings; debug: everything, also what "
        "TensorFlow says, and where an error arose",
    )
