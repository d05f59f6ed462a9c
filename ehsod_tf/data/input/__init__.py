"""From an `ImageSet` to batches: order, pixels, flips, canvases, cache."""
