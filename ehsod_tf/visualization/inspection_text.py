"""The text of ``ehsod inspect`` for a terminal of 80 columns."""

import textwrap
from collections.abc import Sequence

import numpy as np

from ehsod_tf.visualization.inspection_rows import (
    count_images,
    list_size_classes,
    list_states,
    list_supervision,
    list_warnings,
    name_bins,
    name_image_columns,
    rank_pairs,
)
from ehsod_tf.wording import count

_WIDTH = 79
_NAME_WIDTH = 32
# Two of these fit on a line, or one beside all states.
_PAIR_NAME_WIDTH = 24
_STATE_NAME_WIDTH = 20
# States that the table of the classes has no column for.
_FURTHER_STATES = {"boxed in part", "only ignored", "unknown"}
_BAR_WIDTH = 30
_NUM_PROBLEMS = 20
_NUM_PAIRS = 5


def format_inspection(
    summary, problems: Sequence[tuple[str, str, str, str]], notes: Sequence[str]
) -> str:
    """Formats what the page says, as far as text can.

    Args:
        summary: an `ehsod_tf.data.statistics.DataSetSummary`.
        problems: (file, record, field, message) of what is wrong; the first 20 are
            shown.
        notes: what else is worth knowing.

    Returns:
        Lines of at most 79 characters, where no single word is longer. Characters that
        a terminal could take for commands are spelt out.
    """
    blocks = [
        _format_overview(summary),
        _format_classes(summary),
        _format_states(summary),
        _format_boxes(summary),
        _format_images(summary),
        _format_pairs(summary),
        _format_problems(problems),
        [line for note in notes for line in _wrap(f"note: {note}")],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _format_overview(summary):
    num_images = count_images(summary)
    numbers = f"classes: {len(summary.class_names):,}, boxes: {summary.boxes.sum():,}"
    num_ignored = summary.ignored_boxes.sum()
    if num_ignored:
        numbers += f", crowds or difficult objects: {num_ignored:,}"
    if summary.ignored_regions:
        numbers += f", ignored regions: {summary.ignored_regions:,}"
    if summary.num_machine:
        numbers += f"\nboxes of a detector, apart: {summary.machine_boxes.sum():,}"
    further = "".join(
        f", {number:,} {what}"
        for number, what in (
            (summary.num_partly, "boxed in part"),
            (summary.num_machine, "with a detector's boxes"),
        )
        if number
    )
    return [
        f"{count(num_images, 'image')}: {summary.num_strong:,} strong (boxes)"
        f"{further}, {summary.num_weak:,} weak (image labels only)",
        *_format_bars(list_supervision(summary), num_images),
        numbers,
    ]


def _format_classes(summary):
    names = [_shorten(name, _NAME_WIDTH) for name in summary.class_names]
    width = max(len("class"), *map(len, names)) if names else len("class")
    boxed, others = name_image_columns(summary)
    lines = [f"{'class':<{width}}  {boxed:>13}  {others:>11}     boxes"]
    columns = (summary.boxed_images, summary.other_images, summary.boxes)
    for name, strong, weak, boxes in zip(names, *columns, strict=True):
        lines.append(f"{name:<{width}}  {strong:>13,}  {weak:>11,}  {boxes:>8,}")
    for warning in list_warnings(summary):
        lines += _wrap(f"warning: {warning}")
    return lines


def _format_states(summary):
    """The classes by what is known, where that is more than their table says."""
    states = list_states(summary)
    if not _FURTHER_STATES.intersection(name for name, _ in states):
        return []
    names = [_shorten(name, _STATE_NAME_WIDTH) for name in summary.class_names]
    width = max(map(len, names), default=0)
    # "present, no box" on two lines would be a riddle.
    heads = [name.replace("present, no box", "present") for name, _ in states]
    lines = ["images by what is known of a class"]
    lines.append("  ".join([" " * width, *(head for head in heads)]))
    for k, name in enumerate(names):
        cells = [
            f"{int(counts[k]):>{len(head)},}"
            for head, (_, counts) in zip(heads, states, strict=True)
        ]
        lines.append("  ".join([f"{name:<{width}}", *cells]))
    return lines


def _format_boxes(summary):
    num_boxes = sum(summary.size_classes)
    if not num_boxes:
        return ["no boxes"]
    return [
        "boxes by annotated area in square pixels",
        *_format_bars(list_size_classes(summary), num_boxes),
        "aspect ratios, width / height",
        *_format_bars(_list_ratios(summary.aspect_ratios), num_boxes),
    ]


def _list_ratios(histogram):
    """Sums the bins up to five kinds of shape."""
    names = ("tall: under 0.42", "upright: under 0.84", "about square: under 1.19")
    names += ("lying: under 2.38", "wide: the rest")
    bounds = 2.0 ** np.array([-1.25, -0.25, 0.25, 1.25])
    centres = np.sqrt(histogram.edges[:-1] * histogram.edges[1:])
    kinds = np.digitize(centres, bounds)
    counts = np.bincount(kinds, weights=histogram.counts, minlength=len(names))
    return list(zip(names, counts.astype(int).tolist(), strict=True))


def _format_images(summary):
    if not summary.image_sizes:
        return []
    lines = []
    if len(summary.classes_per_image.counts):
        lines.append("images by the number of classes that they show")
        lines += _format_histogram(summary.classes_per_image)
    if summary.num_strong + summary.num_partly:
        lines.append("boxed images by the number of their boxes")
        lines += _format_histogram(summary.boxes_per_image)
    num_images = sum(count for *_, count in summary.image_sizes)
    rows = [(f"{w} x {h}", count) for h, w, count in summary.image_sizes[:3]]
    rest = summary.image_sizes[3:]
    if rest:
        num_rest = sum(count for *_, count in rest)
        rows.append((f"{len(rest):,} other sizes", num_rest))
    return [*lines, "image sizes, width x height", *_format_bars(rows, num_images)]


def _format_histogram(histogram):
    names = [name.replace("–", "-") for name in name_bins(histogram)]
    counts = histogram.counts.tolist()
    return _format_bars(list(zip(names, counts, strict=True)), max(counts, default=0))


def _format_pairs(summary):
    pairs = rank_pairs(summary, _NUM_PAIRS)
    if not pairs:
        return []
    lines = ["classes that come together, of the images that show either"]
    for pair in pairs:
        first, second = (
            _shorten(summary.class_names[k], _PAIR_NAME_WIDTH)
            for k in (pair.first, pair.second)
        )
        number = count(pair.both, "image")
        lines.append(f"  {pair.share:>4.0%}  {first}, {second} ({number})")
    return lines


def _format_problems(problems):
    if not problems:
        return ["no problem was found"]
    number = count(len(problems), "problem")
    lines = [f"{number}; the images concerned are left out"]
    for problem in problems[:_NUM_PROBLEMS]:
        *place, message = problem
        lines += _wrap(f"- {', '.join(part for part in place if part)}: {message}")
    if len(problems) > _NUM_PROBLEMS:
        lines.append(f"and {len(problems) - _NUM_PROBLEMS:,} more, see the page")
    return lines


def _format_bars(rows, full):
    lines = []
    for name, number in rows:
        bar = "#" * max(round(_BAR_WIDTH * number / max(full, 1)), min(number, 1))
        lines.append(f"  {name:<{_NAME_WIDTH}} {number:>9,}  {bar}".rstrip())
    return lines


def _wrap(text):
    return textwrap.wrap(
        _spell(text),
        _WIDTH,
        subsequent_indent="  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _shorten(name, width):
    name = _spell(name)
    return name if len(name) <= width else f"{name[: width - 3]}..."


def _spell(text):
    """Spells out control characters and those that no encoding can write."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode() for c in text
    )
