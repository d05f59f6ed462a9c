"""Trains a detector: `python train.py --config configs/quickstart.gin`."""

from absl import app, flags

from ehsod_tf import cli

FLAGS = flags.FLAGS
flags.DEFINE_string("config", None, "A config file, e.g. configs/coco_50pct.gin.")
flags.DEFINE_multi_string("gin_bindings", [], "A gin line; may be repeated.")
flags.DEFINE_string("model_dir", None, "Run folder; default: runs/<config name>.")
flags.DEFINE_string("data_dir", None, "Folder of the data set; sets DATA_DIR.")
flags.DEFINE_bool("skip_bad", False, "Leave out images with problems, and list them.")
flags.DEFINE_enum(
    "strategy",
    "auto",
    ["auto", "mirrored", "multi_worker"],
    "All devices of this machine, or all machines of TF_CONFIG.",
)
flags.DEFINE_enum(
    "cross_device_ops",
    "auto",
    ["auto", "nccl", "hierarchical"],
    "How the gradients of several devices are summed.",
)
flags.mark_flag_as_required("config")


def main(_):
    cli.train(
        FLAGS.config,
        FLAGS.gin_bindings,
        FLAGS.model_dir,
        FLAGS.data_dir,
        skip_bad=FLAGS.skip_bad,
        strategy=FLAGS.strategy,
        cross_device_ops=FLAGS.cross_device_ops,
    )


if __name__ == "__main__":
    app.run(main)
