"""Evaluates a run: `python evaluate.py --model_dir runs/quickstart`."""

from absl import app, flags

from ehsod_tf import cli

FLAGS = flags.FLAGS
flags.DEFINE_string("model_dir", None, "Run folder of train.py.")
flags.DEFINE_string("config", None, "Default: the run's own operative_config.gin.")
flags.DEFINE_multi_string("gin_bindings", [], "A gin line; may be repeated.")
flags.DEFINE_string("data_dir", None, "Folder of the data set; sets DATA_DIR.")
flags.DEFINE_string("checkpoint", None, "A checkpoint; default: the run's newest.")
flags.DEFINE_bool("averaged", False, "Take the moving averages of the weights.")
flags.DEFINE_string("output_dir", None, "Where to write metrics.json, detections.json.")
flags.DEFINE_string("export", None, "Also write a SavedModel to this folder.")
flags.DEFINE_enum("ops", "stock", ["stock", "native"], "Operations of that SavedModel.")
flags.mark_flag_as_required("model_dir")


def main(_):
    cli.evaluate(
        FLAGS.model_dir,
        config=FLAGS.config,
        gin_bindings=FLAGS.gin_bindings,
        data_dir=FLAGS.data_dir,
        checkpoint=FLAGS.checkpoint,
        averaged=FLAGS.averaged,
        output_dir=FLAGS.output_dir,
        export=FLAGS.export,
        ops=FLAGS.ops,
    )


if __name__ == "__main__":
    app.run(main)
