"""The page of ``ehsod inspect``: what a data set holds, and what is wrong with it."""

import os
from collections.abc import Sequence

from ehsod_tf.structures import ImageSet
from ehsod_tf.visualization.annotated_images import choose_images, draw_card
from ehsod_tf.visualization.charts import draw_bar_chart, draw_histogram
from ehsod_tf.visualization.html import (
    Bar,
    Cell,
    Section,
    render_cards,
    render_heat_map,
    render_list,
    render_page,
    render_paragraph,
    render_table,
    render_tiles,
)
from ehsod_tf.visualization.inspection_rows import (
    list_size_classes,
    list_supervision,
    list_warnings,
    name_bins,
    rank_classes,
    rank_pairs,
)

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
) -> None:
    """Writes the page as one HTML file without script or outside references.

    Args:
        path: the file to write.
        title: heading of the page.
        image_set: the images to show samples of; their files are read.
        summary: its `ehsod_tf.data.statistics.DataSetSummary`.
        problems: (file, record, field, message) of what is wrong.
        notes: what else is worth knowing.
    """
    sections = [
        Section("Overview", _render_overview(summary, problems)),
        Section("Problems and notes", _render_problems(problems, notes)),
        Section("Classes", _render_classes(summary)),
        Section("Sample images", _render_samples(image_set)),
        Section("Boxes", _render_boxes(summary)),
        Section("Images", _render_images(summary)),
        Section("Classes that come together", _render_co_occurrence(summary)),
    ]
    # A file name that is not UTF-8 holds characters that no encoding can write.
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(render_page(title, sections))


def _render_overview(summary, problems):
    num_boxes, num_ignored = int(summary.boxes.sum()), int(summary.ignored_boxes.sum())
    ignored = f", and {num_ignored:,} crowd or difficult" if num_ignored else ""
    num_images = summary.num_strong + summary.num_weak + summary.num_unlabelled
    tiles = [
        ("Images", num_images, "that can be used"),
        ("Strong", summary.num_strong, "images with boxes"),
        ("Weak", summary.num_weak, "images with labels only"),
        ("Boxes", num_boxes, f"on strong images{ignored}"),
        ("Classes", len(summary.class_names), ""),
        ("Problems", len(problems), _explain_problems(problems)),
    ]
    rows = [(name, Bar(count, num_images)) for name, count in list_supervision(summary)]
    return render_tiles(tiles) + render_table(["supervision", "images"], rows)


def _explain_problems(problems):
    return "their images are left out, see below" if problems else "nothing is left out"


def _render_problems(problems, notes):
    if problems:
        header = ["file", "record", "field", "what is wrong, and what to do"]
        html = render_paragraph(
            "An image that a problem concerns is left out as a whole, and is not "
            "counted on this page."
        ) + render_table(header, list(problems), tall=True)
    else:
        html = render_paragraph("No problem was found.")
    return html + (render_list(notes) if notes else "")


def _render_classes(summary):
    warnings = list_warnings(summary)
    columns = {
        "strong images": summary.strong_images,
        "weak images": summary.weak_images,
        "boxes": summary.boxes,
    }
    scales = [int(counts.max(initial=0)) for counts in columns.values()]
    # Columns of zeros say nothing.
    extra = {
        "crowd or difficult": summary.ignored_boxes,
        "label unknown": summary.unknown_images,
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
    html = render_list(warnings, kind="warnings") if warnings else ""
    return html + render_table(["class", *columns, *extra], rows)


def _render_samples(image_set):
    strong, weak = choose_images(image_set, _NUM_PICTURES)
    html = ""
    for heading, rows in (
        ("Strong: every object has its box.", strong),
        ("Weak: only the classes are known, not where they are.", weak),
    ):
        if rows:
            cards = [draw_card(image_set, row) for row in rows]
            html += render_paragraph(heading) + render_cards(cards)
    return html or render_paragraph("There is no image to show.")


def _render_boxes(summary):
    if not sum(summary.size_classes):
        return render_paragraph("There are no boxes.")
    names, counts = zip(*list_size_classes(summary), strict=True)
    charts = [
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
        draw_bar_chart(
            "Size classes of COCO",
            "boxes by annotated area, in square pixels",
            names,
            counts,
        ),
    ]
    return _join_charts(charts)


def _render_images(summary):
    if not summary.image_sizes:
        return render_paragraph("There are no images.")
    numbers = [
        (
            "Classes per image",
            "images by the number of classes that they show",
            summary.classes_per_image,
        ),
        (
            "Boxes per image",
            "strong images by the number of their boxes",
            summary.boxes_per_image,
        ),
    ]
    charts = [
        draw_bar_chart(title, note, name_bins(histogram), histogram.counts.tolist())
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
    return _join_charts(charts) + _render_image_sizes(summary.image_sizes)


def _render_image_sizes(image_sizes):
    num_images = sum(count for *_, count in image_sizes)
    rows = [
        (f"{width} × {height}", Bar(count, num_images))
        for height, width, count in image_sizes[:_NUM_SIZES]
    ]
    rest = image_sizes[_NUM_SIZES:]
    if rest:
        num_rest = sum(count for *_, count in rest)
        rows.append((f"{len(rest):,} other sizes", Bar(num_rest, num_images)))
    return render_table(["width × height", "images"], rows)


def _render_co_occurrence(summary):
    pairs = rank_pairs(summary, _NUM_PAIRS)
    if not pairs:
        return render_paragraph("No image shows more than one class.")
    names = summary.class_names
    rows = [
        (
            f"{names[pair.first]}, {names[pair.second]}",
            pair.both,
            Bar(round(100 * pair.share), 100),
        )
        for pair in pairs
    ]
    return (
        render_paragraph(
            "Of the images that show the class of the row, how many percent also show "
            "the class of the column."
        )
        + _render_matrix(summary)
        + render_paragraph(
            "The pairs that come together most often: image labels can hardly tell "
            "apart two classes that always come together (100 percent)."
        )
        + render_table(
            ["pair", "images with both", "percent of the images with either"], rows
        )
    )


def _render_matrix(summary):
    shown = rank_classes(summary, _NUM_CLASSES)
    rows = []
    for k in shown:
        num_images = int(summary.co_occurrence[k, k])
        cells = [_make_cell(summary, k, other, num_images) for other in shown]
        rows.append((f"{summary.class_names[k]} ({num_images:,})", cells))
    names = [summary.class_names[k] for k in shown]
    html = render_heat_map("class (its images)", names, rows)
    if len(shown) < len(summary.class_names):
        html += render_paragraph(
            f"The {len(shown)} most frequent of {len(summary.class_names)} classes."
        )
    return html


def _make_cell(summary, row, column, num_images):
    if row == column:
        return Cell("", 0.0, "")
    both = int(summary.co_occurrence[row, column])
    share = both / num_images
    name, other = summary.class_names[row], summary.class_names[column]
    hint = f"{both:,} of {num_images:,} images with {name} also show {other}"
    if not both:
        return Cell("", 0.0, hint)
    return Cell("<1" if share < 0.005 else f"{100 * share:.0f}", share, hint)


def _join_charts(charts):
    return f'<div class="charts">{"".join(charts)}</div>'
