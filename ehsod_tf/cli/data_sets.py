"""Commands about a data set: inspect, split, convert, download."""

import sys

from ehsod_tf.cli.session import report_user_errors
from ehsod_tf.cli.sources import Source, describe_source, read_source


def inspect(
    source: Source, output: str = "inspection.html", split_file: str | None = None
) -> None:
    """Writes a page about a data set and prints the same; exit status 1 on problems.

    Args:
        source: the data set.
        output: path of the HTML page.
        split_file: a split to look at the data set under.
    """
    with report_user_errors():
        from ehsod_tf import data, visualization

        findings = data.Findings()
        image_set = read_source(source, findings)
        if split_file:
            image_set = data.apply_split(image_set, data.read_split(split_file))
        summary = data.summarize(image_set)
        print(
            visualization.format_inspection(summary, findings.problems, findings.notes)
        )
        visualization.write_inspection(
            output,
            title=f"Inspection of {describe_source(source)}",
            image_set=image_set,
            summary=summary,
            problems=findings.problems,
            notes=findings.notes,
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
    shards: int = 16,
    split_file: str | None = None,
    skip_bad: bool = False,
) -> None:
    """Writes a data set as one COCO JSON, or as TFRecord files with its images."""
    with report_user_errors():
        from ehsod_tf import data

        image_set = _read_sound(source, skip_bad)
        if split_file:
            image_set = data.apply_split(image_set, data.read_split(split_file))
        if to == "coco":
            data.write_coco(image_set, output)
        else:
            data.write_tfrecords(image_set, output, num_shards=shards)
        print(f"{output}: {len(image_set.image_names)} images")


def download(name: str, data_dir: str, keep_archives: bool = False) -> None:
    """Fetches a public data set into the layout that the configs expect."""
    with report_user_errors():
        from ehsod_tf import downloads

        downloads.download(name, data_dir, keep_archives=keep_archives)


def _read_sound(source, skip_bad):
    """Reads a data set; stops at problems, or lists them and goes on without."""
    from ehsod_tf import data

    findings = data.Findings()
    image_set = read_source(source, findings)
    for note in findings.notes:
        print(f"note: {note}")
    if not skip_bad:
        data.raise_problems(findings.problems)
    for problem in findings.problems:
        print(f"skipped: {problem}")
    return image_set
