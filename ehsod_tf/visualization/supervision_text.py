"""What the pages of runs say of the images that detectors were trained on."""

from collections.abc import Mapping, Sequence

from ehsod_tf.wording import count


def describe_training(summary) -> str:
    """Counts the training images by what was known of them.

    Args:
        summary: their `ehsod_tf.data.DataSetSummary`.

    Returns:
        Such as "60 images with boxes and 540 with labels only"; further kinds are named
        where there are any.
    """
    parts = [f"{count(count_boxed(summary), 'image')} with boxes"]
    if summary.num_machine:
        parts.append(f"{summary.num_machine:,} with a detector's boxes")
    parts.append(f"{summary.num_weak:,} with labels only")
    if summary.num_unlabelled:
        parts.append(f"{summary.num_unlabelled:,} of which nothing was known")
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def describe_evaluation(num_images: int, num_shared: int) -> str:
    """Says on what one detector was evaluated, and whether that was fair.

    Args:
        num_images: evaluation images.
        num_shared: those of them that are training images too.
    """
    images = count(num_images, "image")
    if not num_shared:
        return f"what it finds on {images} that it has not seen."
    part = "all" if num_shared == num_images else f"{num_shared:,}"
    return (
        f"what it finds on {images}. It was trained on {part} of these: "
        "expect lower figures on new images."
    )


def describe_common_evaluation(num_images: int, num_shared: Mapping[str, int]) -> str:
    """As `describe_evaluation`, of several detectors.

    Args:
        num_images: evaluation images, the same for all.
        num_shared: by name of the detector.
    """
    shares = [
        f"{name} was trained on {number:,} of them"
        for name, number in num_shared.items()
        if number
    ]
    same = f"Each detector was given the same {count(num_images, 'image')}"
    if not shares:
        return f"{same}, and none was trained on any of them."
    return f"{same}. {', '.join(shares)}: expect lower figures on new images."


def list_supervision(summaries: Sequence) -> tuple[list[str], list[list[int]]]:
    """Header, and a row for each detector, of what it was trained on.

    Args:
        summaries: see `describe_training`.
    """
    columns = {
        "images with boxes": [count_boxed(one) for one in summaries],
        "with a detector's boxes": [one.num_machine for one in summaries],
        "with labels only": [one.num_weak for one in summaries],
        "with nothing known": [one.num_unlabelled for one in summaries],
        "boxes": [int(one.boxes.sum()) for one in summaries],
        "a detector's boxes": [int(one.machine_boxes.sum()) for one in summaries],
    }
    usual = ("images with boxes", "with labels only", "boxes")
    # Columns of zeros say nothing.
    columns = {k: column for k, column in columns.items() if k in usual or any(column)}
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def count_boxed(summary) -> int:
    """Images that people have boxed, wholly or in part."""
    return summary.num_strong + summary.num_partly
