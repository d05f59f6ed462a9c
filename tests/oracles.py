"""Slow, obvious references of the method in NumPy float64, one image at a time.

Written from the formulas of the paper (arXiv 2002.07421), not from the code: loops over
boxes, cells, proposals and classes. Labels are 1 (present), 0 (absent), -1 (unknown).
"""

import math

import numpy as np

EPSILON = 1e-6


def compute_iou(box, other):
    height = min(box[2], other[2]) - max(box[0], other[0])
    width = min(box[3], other[3]) - max(box[1], other[1])
    overlap = max(height, 0.0) * max(width, 0.0)
    union = _area(box) + _area(other) - overlap
    return overlap / union if union > 0 else 0.0


def _area(box):
    return max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)


def encode_box(box, reference, stds=(1, 1, 1, 1)):
    """(dy, dx, dh, dw) of Ren et al. 2015, Eq. 2, over the standard deviations."""
    deltas = []
    for axis in (0, 1):
        side = box[axis + 2] - box[axis]
        reference_side = reference[axis + 2] - reference[axis]
        shift = (box[axis] + side / 2) - (reference[axis] + reference_side / 2)
        deltas.append((shift / reference_side, math.log(side / reference_side)))
    (dy, dh), (dx, dw) = deltas
    return np.array([dy, dx, dh, dw]) / np.array(stds)


def softmax(values):
    powers = np.exp(np.asarray(values, np.float64) - np.max(values))
    return powers / powers.sum()


def sigmoid(value):
    return 1.0 / (1.0 + math.exp(-value))


def binary_cross_entropy(y, labels):
    """-sum {y* log y + (1 - y*) log(1 - y)} over the classes whose label is known."""
    total = 0.0
    for probability, label in zip(y, labels, strict=True):
        if label == 1:
            total -= math.log(probability or EPSILON)
        elif label == 0:
            total -= math.log((1 - probability) or EPSILON)
    return total


def cut_padding(cam, stride, image_size):
    """The cells of a [H, W, K] map that begin inside the image."""
    rows, columns = (math.ceil(side / stride) for side in image_size)
    return cam[:rows, :columns]


def cam_cls(cams, image_size, labels, activation="softmax"):
    """L_CAM-cls of one image, averaged over the levels of {level: [H, W, K]}."""
    losses = []
    for level, cam in cams.items():
        average = cut_padding(cam, 2**level, image_size).mean(axis=(0, 1))
        if activation == "softmax":
            y = softmax(average)
        else:
            y = [sigmoid(value) for value in average]
        losses.append(binary_cross_entropy(y, labels))
    return sum(losses) / len(losses)


def draw_cam_target(boxes, classes, num_classes, shape, stride, sigma=0.8):
    """[H, W, K] of 1 (positive), 0 (negative) and -1 (ignored)."""
    target = np.zeros([*shape, num_classes], int)
    for box, k in zip(boxes, classes, strict=True):
        for cell in np.ndindex(*shape):
            if _holds(box, cell, stride) and target[*cell, k] == 0:
                target[*cell, k] = -1
    for box, k in zip(boxes, classes, strict=True):
        centre = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]
        half = [sigma * (box[2] - box[0]) / 2, sigma * (box[3] - box[1]) / 2]
        inner = [centre[0] - half[0], centre[1] - half[1]]
        inner += [centre[0] + half[0], centre[1] + half[1]]
        cells = [c for c in np.ndindex(*shape) if _holds(inner, c, stride)]
        for cell in cells or [(int(centre[0] // stride), int(centre[1] // stride))]:
            target[*cell, k] = 1
    return target


def _holds(box, cell, stride):
    y, x = (cell[0] + 0.5) * stride, (cell[1] + 0.5) * stride
    return box[0] <= y < box[2] and box[1] <= x < box[3]


def focal_loss(logit, target, alpha=0.25, gamma=2.0):
    """One pixel of L_CAM-seg, `alpha` on both terms as in the paper."""
    a = sigmoid(logit)
    if target == 1:
        return -alpha * (1 - a) ** gamma * math.log(a)
    return -alpha * a**gamma * math.log(1 - a)


def cam_seg(cams, image_size, boxes, classes, labels, sigma=0.8):
    """L_CAM-seg of one image: the mean of the positive (cell, class) pairs of all
    levels, and the sum of the negative ones over a quarter of all cells.

    `boxes` is None for a weak image: absent classes are negative everywhere.
    """
    loss, count, num_cells = {0: 0.0, 1: 0.0}, {0: 0, 1: 0}, 0
    for level, cam in cams.items():
        target = np.full(cam.shape, -1)
        if boxes is None:
            target[..., np.asarray(labels) == 0] = 0
        else:
            target = draw_cam_target(
                boxes, classes, cam.shape[-1], cam.shape[:2], 2**level, sigma
            )
        target = cut_padding(target, 2**level, image_size)
        num_cells += target.shape[0] * target.shape[1]
        for *cell, k in np.ndindex(*target.shape):
            if (kind := target[*cell, k]) >= 0:
                loss[kind] += focal_loss(cam[*cell, k], kind)
                count[kind] += 1
    return loss[1] / max(1, count[1]) + loss[0] / (0.25 * num_cells)


def average_over_box(cell_map, box, stride):
    """Mean of a map over a box: each cell by the area of it that the box covers."""
    if _area(box) == 0:
        return 0.0
    total = 0.0
    for row, column in np.ndindex(*cell_map.shape):
        cell = [
            row * stride,
            column * stride,
            (row + 1) * stride,
            (column + 1) * stride,
        ]
        corners = [max(cell[0], box[0]), max(cell[1], box[1])]
        corners += [min(cell[2], box[2]), min(cell[3], box[3])]
        total += _area(corners) * cell_map[row, column]
    return total / _area(box)


def contrast_over_box(cell_map, box, stride, image_size):
    """Mean inside a box minus the mean of what a box 1.5 times as large adds to it."""
    outer = []
    for axis, limit in enumerate(image_size):
        centre = (box[axis] + box[axis + 2]) / 2
        half = 1.5 * (box[axis + 2] - box[axis]) / 2
        outer.append((max(centre - half, 0.0), min(centre + half, limit)))
    outer = [low for low, _ in outer] + [high for _, high in outer]
    ring = _area(outer) - _area(box)
    if _area(box) == 0 or ring <= 0:
        return 0.0
    inside = average_over_box(cell_map, box, stride)
    outside = average_over_box(cell_map, outer, stride) * _area(outer)
    return inside - (outside - inside * _area(box)) / ring


def assign_anchors(anchors, boxes, image_size, border_anchors=False, low=0.3):
    """For each anchor the index of its box, -1 for background, -2 for ignored."""
    positive, negative = 0.7, 0.3
    assigned = np.full([len(anchors)], -2)
    inside = [
        i
        for i, anchor in enumerate(anchors)
        if _lies_inside(anchor, image_size, border_anchors)
    ]
    ious = np.array([[compute_iou(anchors[i], box) for box in boxes] for i in inside])
    ious = ious.reshape(len(inside), len(boxes))
    for row, i in enumerate(inside):
        best = ious[row].max(initial=0.0)
        if best >= positive:
            assigned[i] = ious[row].argmax()
        elif best < negative:
            assigned[i] = -1
    for j in range(len(boxes)):
        best = ious[:, j].max(initial=0.0)
        if best >= low:
            for row in np.flatnonzero(ious[:, j] == best):
                assigned[inside[row]] = j
    return assigned


def _lies_inside(anchor, image_size, border_anchors):
    if border_anchors:
        # Centres on the very border count as outside, whatever float32 made of corners.
        y, x = ((anchor[axis] + anchor[axis + 2]) / 2 + 1e-3 for axis in (0, 1))
        return y < image_size[0] and x < image_size[1]
    return (
        min(anchor) >= 0 and anchor[2] <= image_size[0] and anchor[3] <= image_size[1]
    )


def smooth_l1(prediction, target, beta):
    total = 0.0
    for distance in np.abs(np.asarray(prediction) - target):
        if distance < beta:
            total += 0.5 * distance**2 / beta
        else:
            total += distance - 0.5 * beta
    return total


def rpn_cls(logits, assigned, sampled):
    """Sum over the sampled anchors of one image."""
    return sum(
        binary_cross_entropy([sigmoid(logits[i])], [int(assigned[i] >= 0)])
        for i in sampled
    )


def rpn_reg(deltas, anchors, boxes, assigned, sampled):
    """Sum over the sampled positive anchors of one image."""
    return sum(
        smooth_l1(deltas[i], encode_box(boxes[assigned[i]], anchors[i]), 1 / 9)
        for i in sampled
        if assigned[i] >= 0
    )


def score_image(class_logits, confidence_logits):
    """g_c = sum_i p_ic s_ic over the proposals of one image; background is last."""
    num_proposals, num_classes = np.shape(confidence_logits)
    g = np.zeros([num_classes])
    for c in range(num_classes):
        p = softmax(confidence_logits[:, c])
        for i in range(num_proposals):
            g[c] += p[i] * softmax(class_logits[i, :-1])[c]
    return g


def head_proposals(confidence_logits, classes, normalizer="rois"):
    """-1/R sum_j sum_i p*_ij log p_ij of one image, p*_ij = 1 / N_j."""
    num_proposals, num_classes = np.shape(confidence_logits)
    total, present = 0.0, 0
    for j in range(num_classes):
        members = [i for i in range(num_proposals) if classes[i] == j]
        p = softmax(confidence_logits[:, j])
        present += bool(members)
        total -= sum(math.log(p[i]) / len(members) for i in members)
    divisor = num_proposals if normalizer == "rois" else present
    return total / divisor if divisor else 0.0


def head_cls(class_logits, classes):
    """Sum of the softmax cross-entropy over the proposals of one image."""
    pairs = zip(class_logits, classes, strict=True)
    return sum(-math.log(softmax(logits)[k]) for logits, k in pairs)


def head_reg(deltas, boxes, matched_boxes, classes, num_classes, stds):
    """Sum over the positive proposals of one image."""
    return sum(
        smooth_l1(deltas[i], encode_box(matched_boxes[i], boxes[i], stds), 1.0)
        for i in range(len(classes))
        if classes[i] < num_classes
    )


def head_absent(class_logits, labels):
    """Mean of -log(1 - share of the absent classes) over the proposals of one image."""
    absent = [k for k, label in enumerate(labels) if label == 0]
    shares = [softmax(logits)[absent].sum() for logits in class_logits]
    return sum(-math.log(1 - share) for share in shares) / max(1, len(shares))
