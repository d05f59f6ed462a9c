"""Integrals of maps over boxes."""

from ehsod_tf.ops import _library


def integrate_over_boxes(maps, boxes, places):
    """Integral of a map over each box, and the boxes' areas, both in cells.

    A map is constant on each cell and 0 outside, so a box with fractional sides has an
    exact integral.

    Args:
        maps: {level: [B, H_l, W_l] float32}, in ascending order; level l has 2 ** l
            pixels a cell.
        boxes: [B, N, 4] float32 pixels.
        places: [N] int64, which of the maps, counted from 0, a column of boxes reads.

    Returns:
        ([B, N] integrals, [B, N] areas), both float64, or float32 in graphs for other
        runtimes; 0 for an empty or an inverted box.
    """
    return _library.choose_stock_ops().integrate_over_boxes(maps, boxes, places)
