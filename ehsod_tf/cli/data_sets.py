"""Commands about a data set: inspect, split, convert, download."""

import json
import os
import sys

from ehsod_tf.cli.session import report_user_errors
from ehsod_tf.cli.sources import (
    Source,
    describe_source,
    names_data_set,
    read_source,
    refuse_other_flags,
)
from ehsod_tf.cli.unused_flags import refuse_unused
from ehsod_tf.wording import count

_SHARDS = 16


def inspect(
    source: Source,
    output: str = "inspection.html",
    split_file: str | None = None,
    batch: str | None = None,
) -> None:
    """Writes a page about a data set and prints the same; exit status 1 on problems.

    Args:
        source: the data set.
        output: path of the HTML page.
        split_file: a split to look at the data set under.
        batch: look at this file instead, the batch at which a run's loss was not
            finite; `source` then gives names to its classes and images. Without one,
            they come from the configuration of that run.
    """
    if batch:
        _inspect_batch(batch, source, output, split_file)
        return
    with report_user_errors():
        from ehsod_tf import data, visualization

        findings = data.Findings()
        image_set, png_bits = read_source(source, findings)
        if split_file:
            image_set = data.apply_split(
                image_set, data.read_split(split_file), findings=findings
            )
        summary = data.summarize(image_set)
        # Images that were left out because nothing is known of them are images too.
        summary = summary._replace(
            num_unlabelled=summary.num_unlabelled + sum(findings.unannotated.values())
        )
        problems = data.merge_equal(findings.problems)
        print(visualization.format_inspection(summary, problems, findings.notes))
        visualization.write_inspection(
            output,
            title=f"Inspection of {describe_source(source)}",
            image_set=image_set,
            summary=summary,
            problems=findings.problems,
            notes=findings.notes,
            png_bits=png_bits,
        )
        print(f"{output}: the same with pictures")
    if findings.problems:
        sys.exit(1)


def split(
    source: Source,
    output: str,
    percent: float | None = None,
    seed: int = 0,
    stratified: bool = False,
    from_ids: str | None = None,
    skip_bad: bool = False,
) -> None:
    """Chooses the images that keep their boxes, by percentage or from a list of ids."""
    with report_user_errors():
        from ehsod_tf import data
        from ehsod_tf.errors import ConfigError

        if (percent is None) == (from_ids is None):
            raise ConfigError("give either --percent or --from_ids")
        if from_ids:
            refuse_unused(
                {"--seed": seed, "--stratified": stratified}, "with --from_ids"
            )
        image_set = _read_sound(source, skip_bad)
        if from_ids:
            chosen = data.split_from_ids(image_set, from_ids)
        else:
            chosen = data.make_split(image_set, percent, seed, stratified=stratified)
        data.write_split(output, chosen)
        print(data.format_split(image_set, chosen))
        print(f"{output}: ids of the strong images, for Experiment.split_file")


def convert(
    source: Source,
    output: str,
    to: str,
    shards: int | None = None,
    split_file: str | None = None,
    skip_bad: bool = False,
) -> None:
    """Writes a data set as one COCO JSON, or in another form with its images."""
    with report_user_errors():
        from ehsod_tf import data

        if to != "tfrecord":
            refuse_unused({"--shards": shards is not None}, f"with --to {to}")
        if to == "predictions":
            refuse_unused({"--split_file": split_file}, "with --to predictions")
            _write_predictions(source, output, skip_bad)
            return
        image_set = _read_sound(source, skip_bad, split_file)
        number = len(image_set.image_names)
        if image_set.machine_boxed is not None:
            images = count(int(image_set.machine_boxed.sum()), "image")
            print(f"note: a detector's boxes on {images} are not written")
            image_set = data.leave_out_machine_boxes(image_set)
        if to == "coco":
            data.write_coco(image_set, output)
        elif to == "tfrecord":
            num_shards = _SHARDS if shards is None else shards
            data.write_tfrecords(image_set, output, num_shards=num_shards)
        else:
            findings = data.Findings() if skip_bad else None
            number = getattr(data, f"write_{to}")(image_set, output, findings=findings)
            _list_skipped(findings)
        print(f"{output}: {count(number, 'image')}")


def _write_predictions(source, output, skip_bad):
    from ehsod_tf import data
    from ehsod_tf.errors import ConfigError
    from ehsod_tf.files import open_new

    if len(source.label_studio) != 1 or not source.images:
        raise ConfigError("--to predictions needs one --label_studio file and --images")
    refuse_other_flags(source, {"label_studio", "images"}, "with --to predictions")
    findings = data.Findings()
    path = source.label_studio[0]
    records = data.read_predictions(path, source.images, findings=findings)
    for note in findings.notes:
        print(f"note: {note}")
    if not skip_bad:
        data.raise_problems(findings.problems)
    _list_skipped(findings)
    with open_new(output) as file:
        json.dump(records, file, ensure_ascii=False)
    print(f"{output}: {len(records)} scored boxes")


def download(name: str, data_dir: str, keep_archives: bool = False) -> None:
    """Fetches a public data set into the layout that the configs expect."""
    with report_user_errors(needs_tensorflow=False):
        from ehsod_tf import downloads

        downloads.download(name, data_dir, keep_archives=keep_archives)


def _inspect_batch(path, source, output, split_file):
    with report_user_errors():
        from ehsod_tf import training, visualization

        refuse_unused({"--split_file": split_file}, "with --batch")

        dump = training.read_batch_dump(path)
        config = os.path.join(os.path.dirname(path), "operative_config.gin")
        if not names_data_set(source) and os.path.isfile(config):
            source = source._replace(config=config)
        names = _read_names(source) if names_data_set(source) else None
        print(visualization.format_batch(*dump, names))
        visualization.write_batch_page(output, *dump, names)
        print(f"{output}: the same with pictures")


def _read_names(source):
    """Names of the data set's classes and images; None, with a word, if it is gone."""
    from ehsod_tf import data, visualization
    from ehsod_tf.errors import EhsodError

    try:
        image_set, _ = read_source(source, data.Findings(), check=False)
    except EhsodError as error:
        print(
            f"note: numbers in place of names, as the data set cannot be read: {error}"
        )
        return None
    return visualization.BatchNames(
        image_set.class_names,
        dict(zip(image_set.image_ids.tolist(), image_set.image_names, strict=True)),
    )


def _read_sound(source, skip_bad, split_file=None):
    """Reads a data set; stops at problems, or lists them and goes on without."""
    from ehsod_tf import data

    findings = data.Findings()
    image_set, _ = read_source(source, findings)
    if split_file:
        image_set = data.apply_split(
            image_set, data.read_split(split_file), findings=findings
        )
    for note in findings.notes:
        print(f"note: {note}")
    if findings.unannotated:
        print(findings.describe_unannotated())
    if not skip_bad:
        data.raise_problems(findings.problems)
    _list_skipped(findings)
    return image_set


def _list_skipped(findings):
    from ehsod_tf import data

    for problem in data.merge_equal(findings.problems if findings else []):
        print(f"skipped: {problem}")
