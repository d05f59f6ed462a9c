"""Draws the pictures of the method: `python docs/tools/draw.py` writes docs/images.

What boxes teach is blue, what labels teach is orange, what neither teaches alone is
grey, in all of them.
"""

import argparse
import pathlib

from svg import BOXES, INK, LABELS, SHARED, Drawing

IMAGES = pathlib.Path(__file__).parents[1] / "images"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=pathlib.Path, default=IMAGES)
    folder = parser.parse_args().output
    folder.mkdir(parents=True, exist_ok=True)
    draw_network().write(folder / "network.svg")
    draw_merge().write(folder / "cam_rpn.svg")
    draw_stages().write(folder / "stages.svg")
    draw_supervision().write(folder / "supervision.svg")


def draw_network():
    """From the image to the detections."""
    sheet = Drawing(
        600,
        560,
        "The whole network: backbone, feature pyramid, CAM-RPN with two branches, "
        "merged proposals, three stages, detections",
    )
    for x, lines in (
        (20, ("image", "padded to a canvas")),
        (220, ("backbone", "C2 to C5")),
        (420, ("feature pyramid", "P2 to P6")),
    ):
        sheet.box(x, 24, 160, 62, lines)
    sheet.arrow((180, 55), (218, 55))
    sheet.arrow((380, 55), (418, 55))
    sheet.arrow((500, 86), (500, 112), (150, 112), (150, 138))
    sheet.arrow((450, 112), (450, 138))
    sheet.box(
        20, 140, 260, 72, ("RPN branch", "score o and box of", "every anchor"), BOXES
    )
    sheet.box(
        320, 140, 260, 72, ("CAM branch", "one map for each class,", "P2 to P5"), LABELS
    )
    sheet.arrow((150, 212), (150, 246), (240, 246), (240, 266))
    sheet.arrow((450, 212), (450, 246), (360, 246), (360, 266))
    sheet.box(
        120,
        268,
        360,
        66,
        (
            "proposals",
            "objectness = sigmoid(o) + mean of the",
            "class map in the box, then NMS",
        ),
    )
    sheet.arrow((500, 112), (592, 112), (592, 440), (582, 440))
    sheet.arrow((180, 334), (180, 356), (90, 356), (90, 386))
    for k, x in enumerate((20, 220, 420)):
        sheet.box(
            x,
            388,
            160,
            84,
            (f"stage {k + 1}", "class, box and", f"confidence; IoU {0.5 + k / 10:g}"),
            BOXES,
        )
        # Taught by both: the edge of the other colour.
        sheet.rectangle(x + 6, 394, 148, 72, stroke=LABELS, dash="5 4", w=1.5)
    sheet.text(350, 376, "each stage starts from the boxes of the one before", 13)
    sheet.arrow((180, 430), (218, 430))
    sheet.arrow((380, 430), (418, 430))
    sheet.arrow((500, 472), (500, 500), (300, 500), (300, 512))
    sheet.box(120, 512, 360, 36, "mean of the class logits, NMS: detections")
    sheet.text(560, 105, "features", 13)
    return sheet


def draw_merge():
    """How the class map changes the order of two proposals."""
    sheet = Drawing(
        600,
        470,
        "The merge in the CAM-RPN: two boxes with the same RPN score get different "
        "objectness, since the class map is high inside one of them only",
    )
    # What a class map of a small image may look like, in tenths.
    rows = [
        (0, 0, 0, 0, 0, 0, 1, 0),
        (0, 1, 2, 1, 0, 0, 1, 1),
        (1, 5, 7, 5, 1, 0, 1, 0),
        (2, 8, 9, 8, 2, 0, 0, 0),
        (1, 7, 9, 7, 1, 1, 1, 0),
        (0, 3, 5, 3, 0, 1, 1, 0),
        (0, 0, 1, 0, 0, 0, 0, 0),
    ]
    values = [[value / 10 for value in row] for row in rows]
    cell = 34
    sheet.text(156, 34, "image with two proposals", bold=True)
    sheet.text(444, 34, "S: the class map in one channel", bold=True)
    left, right, top = 20, 308, 50
    sheet.rectangle(left, top, 8 * cell, 7 * cell, fill="#e9ecef", stroke=SHARED, w=1)
    sheet.shape(
        f'<circle cx="{left + 2.5 * cell}" cy="{top + 3.5 * cell}" r="{1.35 * cell}" '
        'fill="#7aa874"/>'
    )
    for x, y in ((5.4, 0.4), (6.6, 1.7), (5.2, 4.2), (6.7, 5.1)):
        sheet.shape(
            f'<rect x="{left + x * cell:g}" y="{top + y * cell:g}" width="26" '
            'height="17" fill="#b8bdc4" transform="rotate(12 '
            f'{left + x * cell:g} {top + y * cell:g})"/>'
        )
    sheet.grid(right, top, cell, values, LABELS)
    sums = []
    for name, (first, last, up, down) in {"A": (1, 4, 2, 5), "B": (5, 8, 0, 4)}.items():
        for x in (left, right):
            sheet.rectangle(
                x + first * cell,
                top + up * cell,
                (last - first) * cell,
                (down - up) * cell,
                stroke=BOXES,
                w=3,
            )
            sheet.text(
                x + first * cell + 12, top + up * cell + 20, name, 16, True, BOXES
            )
        inside = [values[r][c] for r in range(up, down) for c in range(first, last)]
        sums.append((name, sum(inside) / len(inside)))
    y = 322
    for x, title in (
        (60, "box"),
        (190, "sigmoid(o)"),
        (340, "+ mean of S"),
        (500, "= objectness"),
    ):
        sheet.text(x, y, title, 15, True)
    for index, (name, mean) in enumerate(sums):
        line = y + 30 * (index + 1)
        sheet.text(60, line, name, 16, True, BOXES)
        for x, value in ((190, 0.6), (340, mean), (500, 0.6 + mean)):
            sheet.text(x, line, f"{value:.2f}", 16)
    sheet.text(300, 416, "The RPN alone cannot tell A from B: it gives both 0.60.", 14)
    sheet.text(300, 438, "The map, which labels teach too, puts the object first.", 14)
    sheet.text(
        300, 458, "(an example; the numbers of S are those of the map above)", 12
    )
    return sheet


def draw_stages():
    """One stage's head with the loss that learns from labels, and the three stages."""
    sheet = Drawing(
        600,
        640,
        "A stage: three outputs of every region; MID multiplies two softmaxes and sums "
        "over the regions; below, the three stages with their IoU and weights",
    )
    sheet.box(20, 20, 150, 60, ("R regions", "7 x 7 features each"))
    sheet.box(220, 20, 150, 60, ("two dense", "layers"))
    sheet.arrow((170, 50), (218, 50))
    outputs = (
        (20, ("box", "4 deltas"), BOXES),
        (220, ("class", "K + 1 logits"), BOXES),
        (420, ("confidence", "K logits"), LABELS),
    )
    for x, lines, color in outputs:
        sheet.box(x, 122, 160, 54, lines, color)
        sheet.arrow((295, 80), (295, 100), (x + 80, 100), (x + 80, 120))
    class_softmax = [
        (0.9, 0.05, 0.05),
        (0.1, 0.8, 0.1),
        (0.4, 0.3, 0.3),
        (0.8, 0.1, 0.1),
    ]
    region_softmax = [
        (0.6, 0.1, 0.2),
        (0.05, 0.6, 0.3),
        (0.05, 0.2, 0.3),
        (0.3, 0.1, 0.2),
    ]
    cell = 30
    sheet.arrow((300, 176), (300, 196), (105, 196), (105, 222))
    sheet.arrow((500, 176), (500, 196), (285, 196), (285, 222))
    sheet.grid(60, 248, cell, class_softmax, BOXES)
    sheet.grid(240, 248, cell, region_softmax, LABELS)
    sheet.text(105, 240, "s: softmax over classes", 13)
    sheet.text(285, 240, "p: over regions", 13)
    sheet.text(54, 312, "regions", 13, anchor="end")
    sheet.text(195, 316, "×", 26)
    sheet.arrow((340, 308), (400, 308))
    sums = [
        sum(s[c] * p[c] for s, p in zip(class_softmax, region_softmax, strict=True))
        for c in range(3)
    ]
    sheet.text(465, 240, "g: sum over regions", 13)
    sheet.grid(420, 293, cell, [sums], LABELS)
    sheet.text(465, 348, "compared with the labels", 13)
    sheet.text(465, 366, "of the image: MID", 13, True)
    sheet.text(
        300, 404, "MID needs no box: p learns which regions stand for a class.", 14
    )
    for k, (x, weight) in enumerate(((20, "1"), (220, "0.5"), (420, "0.25"))):
        sheet.box(
            x,
            436,
            160,
            104,
            (
                f"stage {k + 1}",
                f"positive from IoU {0.5 + k / 10:g}",
                "class, box, MID",
                f"weight {weight}",
            ),
            BOXES,
        )
        sheet.rectangle(x + 6, 442, 148, 92, stroke=LABELS, dash="5 4", w=1.5)
    for x in (180, 380):
        sheet.arrow((x, 488), (x + 38, 488))
    sheet.text(200, 562, "refined boxes", 13)
    sheet.text(400, 562, "refined boxes", 13)
    sheet.text(
        300, 592, "A strong image brings its true boxes afresh to every stage;", 14
    )
    sheet.text(300, 614, "a weak image the best proposals.", 14)
    return sheet


def draw_supervision():
    """Which loss learns from which kind of image."""
    sheet = Drawing(
        600,
        520,
        "What strong and weak images teach: losses on boxes learn from strong images, "
        "losses on labels from all",
    )
    _draw_scene(sheet, 236, with_boxes=True)
    _draw_scene(sheet, 428, with_boxes=False)
    sheet.text(310, 160, "strong image: boxes", 14, True, BOXES)
    sheet.text(502, 160, "weak image: labels", 14, True, LABELS)
    rows = (
        ("cam_cls", "class map names the classes", "all", "all", LABELS),
        ("cam_seg", "class map shows where", "all", "absent classes", LABELS),
        ("stage{k}_mid", "regions name the classes", "all", "all", LABELS),
        ("rpn_cls, rpn_reg", "anchors", "all", "", BOXES),
        ("stage{k}_cls", "class of a region", "all", "", BOXES),
        ("stage{k}_reg", "box of a region", "all", "", BOXES),
        ("stage{k}_proposals", "regions that stand for a class", "all", "", BOXES),
    )
    top = 186
    for index, (name, what, strong, weak, color) in enumerate(rows):
        y = top + 44 * index
        if index % 2 == 0:
            sheet.rectangle(12, y, 576, 44, fill="#eef1f4")
        sheet.text(24, y + 19, name, 14, True, color, "start")
        sheet.text(24, y + 36, what, 12, False, INK, "start")
        for x, value, dot in ((310, strong, BOXES), (502, weak, LABELS)):
            if not value:
                sheet.text(x, y + 27, "–", 15, color=SHARED)
            elif value == "all":
                sheet.shape(f'<circle cx="{x}" cy="{y + 22}" r="8" fill="{dot}"/>')
            else:
                sheet.shape(
                    f'<circle cx="{x}" cy="{y + 14}" r="7" fill="none" '
                    f'stroke="{dot}" stroke-width="2.5"/>'
                )
                sheet.text(x, y + 38, value, 12)
    sheet.text(
        300, 512, "In one batch: a loss that an image does not have counts 0.", 13
    )
    return sheet


def _draw_scene(sheet, x, *, with_boxes):
    """A disc and a star, with boxes or with labels."""
    sheet.rectangle(x, 20, 148, 116, fill="#e9ecef", stroke=SHARED, w=1)
    sheet.shape(f'<circle cx="{x + 46}" cy="58" r="24" fill="#7aa874"/>')
    star = "0,-26 7,-8 26,-8 11,4 16,23 0,12 -16,23 -11,4 -26,-8 -7,-8"
    sheet.shape(
        f'<polygon points="{star}" fill="#8d7ab8" transform="translate({x + 104} 88)"/>'
    )
    if with_boxes:
        sheet.rectangle(x + 20, 32, 52, 52, stroke=BOXES, w=3)
        sheet.rectangle(x + 76, 60, 56, 54, stroke=BOXES, w=3)
        return
    for left, width, name in ((8, 46, "disc"), (60, 46, "star")):
        sheet.shape(
            f'<rect x="{x + left}" y="112" width="{width}" height="20" rx="10" '
            f'fill="{LABELS}"/>'
        )
        sheet.text(x + left + width / 2, 126, name, 13, True, "#ffffff")


if __name__ == "__main__":
    main()
