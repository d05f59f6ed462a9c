"""The page of ``ehsod inspect``: what a data set holds, and what is wrong with it."""

import os
from collections.abc import Sequence

from ehsod_tf.structures import ImageSet
from ehsod_tf.visualization.annotated_images import choose_images, draw_card
from ehsod_tf.visualization.charts import draw_bars, draw_histogram
from ehsod_tf.visualization.inspection_rows import (
    count_images,
    explain_states,
    list_size_classes,
    list_states,
    list_supervision,
    list_warnings,
    name_bins,
    name_image_columns,
    rank_classes,
    rank_pairs,
)
from ehsod_tf.visualization.pixels import WIDE_BITS
from ehsod_tf.visualization.rendering import Bar, Shade, write_page
from ehsod_tf.wording import count

_NUM_PICTURES = 24
_NUM_SIZES = 8
_NUM_CLASSES = 20
_NUM_PAIRS = 10


def write_inspection(
    path: str | os.PathLike,
    *,
    title: str,
    image_set: ImageSet,
    summary,
    problems: Sequence[tuple[str, str, str, str]],
    notes: Sequence[str],
    png_bits: int = WIDE_BITS,
) -> None:
    """Writes the page as one HTML file without script or outside references.

    Args:
        path: the file to write.
        title: heading of the page.
        image_set: the images to show samples of; their files are read.
        summary: its `ehsod_tf.data.statistics.DataSetSummary`.
        problems: (file, record, field, message) of what is wrong.
        notes: what else is worth knowing.
        png_bits: see `convert_to_rgb`.
    """
    num_images = count_images(summary)
    states = list_states(summary)
    class_header, classes = _list_classes(summary)
    shown = rank_classes(summary, _NUM_CLASSES)
    write_page(
        path,
        "inspection.html",
        title=title,
        tiles=_list_tiles(summary, problems, num_images),
        supervision=[
            (name, Bar(count, num_images)) for name, count in list_supervision(summary)
        ],
        problems=problems,
        notes=notes,
        warnings=list_warnings(summary),
        class_header=class_header,
        classes=classes,
        states=explain_states(summary),
        state_columns=[name for name, _ in states],
        state_rows=_list_state_rows(summary, states, num_images),
        samples=_draw_samples(image_set, summary, png_bits),
        has_ignored=bool(image_set.ignored.any()),
        box_charts=_draw_boxes(summary) if sum(summary.size_classes) else [],
        image_charts=_draw_images(summary) if summary.image_sizes else [],
        image_sizes=_list_image_sizes(summary.image_sizes),
        num_classes=len(summary.class_names),
        matrix_columns=[summary.class_names[k] for k in shown],
        matrix_rows=[_shade_row(summary, k, shown) for k in shown],
        pairs=_list_pairs(summary),
    )


def _list_tiles(summary, problems, num_images):
    num_boxes, num_ignored = int(summary.boxes.sum()), int(summary.ignored_boxes.sum())
    ignored = f", and {num_ignored:,} crowd or difficult" if num_ignored else ""
    if summary.ignored_regions:
        ignored += f", and {count(summary.ignored_regions, 'ignored region')}"
    return [
        ("Images", num_images, "that can be used"),
        ("Strong", summary.num_strong, "images with boxes"),
        *_list_further_tiles(summary),
        ("Weak", summary.num_weak, "images with labels only"),
        ("Boxes", num_boxes, f"that people drew{ignored}"),
        ("Classes", len(summary.class_names), ""),
        ("Problems", len(problems), _explain_problems(problems)),
    ]


def _list_further_tiles(summary):
    num_boxes = int(summary.machine_boxes.sum())
    tiles = [
        ("Partly", summary.num_partly, "images boxed in part"),
        ("Machine", summary.num_machine, f"images with {num_boxes:,} of its boxes"),
    ]
    return [tile for tile in tiles if tile[1]]


def _explain_problems(problems):
    return "their images are left out, see below" if problems else "nothing is left out"


def _list_classes(summary):
    """Header and rows."""
    boxed, others = name_image_columns(summary)
    columns = {
        boxed: summary.boxed_images,
        others: summary.other_images,
        "boxes": summary.boxes,
    }
    scales = [int(counts.max(initial=0)) for counts in columns.values()]
    # Columns of zeros say nothing.
    extra = {
        "a detector's boxes": summary.machine_boxes,
        "crowd or difficult": summary.ignored_boxes,
    }
    extra = {name: counts for name, counts in extra.items() if counts.any()}
    rows = [
        [
            name,
            *(
                Bar(int(counts[k]), full)
                for counts, full in zip(columns.values(), scales, strict=True)
            ),
            *(int(counts[k]) for counts in extra.values()),
        ]
        for k, name in enumerate(summary.class_names)
    ]
    return ["class", *columns, *extra], rows


def _list_state_rows(summary, states, num_images):
    """The classes by what is known of them, as cells of a heat map."""

    def shade(count, hint):
        return Shade(f"{count:,}" if count else "", count / max(num_images, 1), hint)

    return [
        (name, [shade(int(n[k]), f"{name}: {state}") for state, n in states])
        for k, name in enumerate(summary.class_names)
    ]


def _draw_samples(image_set, summary, png_bits):
    """(kind, what such images are, their cards) of each kind that there is."""
    return [
        (
            f"{name}: {len(rows):,} of {number:,}",
            what,
            [draw_card(image_set, row, png_bits) for row in rows],
        )
        for (name, what, number), rows in zip(
            _list_kinds(summary), choose_images(image_set, _NUM_PICTURES), strict=True
        )
        if rows
    ]


def _list_kinds(summary):
    """The kinds of `annotated_images.Chosen`: name, what it is, how many there are."""
    return (
        ("Strong", "Every object has its box.", summary.num_strong),
        (
            "Boxed in part",
            "Where there is no box, there may be an object.",
            summary.num_partly,
        ),
        (
            "Boxes of a detector",
            "Drawn by a detector, not by people.",
            summary.num_machine,
        ),
        ("Weak", "The classes are known, not where they are.", summary.num_weak),
    )


def _draw_boxes(summary):
    names, counts = zip(*list_size_classes(summary), strict=True)
    return [
        draw_histogram(
            "Box sizes",
            "boxes by √(width × height), in pixels",
            summary.box_sizes.edges.tolist(),
            summary.box_sizes.counts.tolist(),
        ),
        draw_histogram(
            "Aspect ratios",
            "boxes by width / height; right of 1 is wide, left is tall",
            summary.aspect_ratios.edges.tolist(),
            summary.aspect_ratios.counts.tolist(),
        ),
        draw_bars(
            "Size classes of COCO",
            "boxes by annotated area, in square pixels",
            names,
            counts,
        ),
    ]


def _draw_images(summary):
    numbers = [
        (
            "Classes per image",
            "images by the number of classes that they show",
            summary.classes_per_image,
        ),
        (
            "Boxes per image",
            "boxed images by the number of their boxes",
            summary.boxes_per_image,
        ),
    ]
    charts = [
        draw_bars(title, note, name_bins(histogram), histogram.counts.tolist())
        for title, note, histogram in numbers
        if len(histogram.counts)
    ]
    charts.append(
        draw_histogram(
            "Image sizes",
            "images by their longer side, in pixels",
            summary.image_sides.edges.tolist(),
            summary.image_sides.counts.tolist(),
        )
    )
    return charts


def _list_image_sizes(image_sizes):
    num_images = sum(count for *_, count in image_sizes)
    rows = [
        (f"{width} × {height}", Bar(count, num_images))
        for height, width, count in image_sizes[:_NUM_SIZES]
    ]
    rest = image_sizes[_NUM_SIZES:]
    if rest:
        num_rest = sum(count for *_, count in rest)
        rows.append((f"{len(rest):,} other sizes", Bar(num_rest, num_images)))
    return rows


def _list_pairs(summary):
    names = summary.class_names
    return [
        (
            f"{names[pair.first]}, {names[pair.second]}",
            pair.both,
            Bar(round(100 * pair.share), 100),
        )
        for pair in rank_pairs(summary, _NUM_PAIRS)
    ]


def _shade_row(summary, row, columns):
    num_images = int(summary.co_occurrence[row, row])
    cells = [_make_cell(summary, row, column, num_images) for column in columns]
    return f"{summary.class_names[row]} ({num_images:,})", cells


def _make_cell(summary, row, column, num_images):
    if row == column:
        return Shade("", 0.0, "")
    both = int(summary.co_occurrence[row, column])
    share = both / num_images
    name, other = summary.class_names[row], summary.class_names[column]
    images = count(num_images, "image")
    hint = f"{both:,} of {images} with {name} also show {other}"
    if not both:
        return Shade("", 0.0, hint)
    return Shade("<1" if share < 0.005 else f"{100 * share:.0f}", share, hint)
