"""`ehsod predict`: a trained detector on image files."""

import os
import sys
import time
from collections.abc import Sequence

from ehsod_tf.cli.session import report_user_errors
from ehsod_tf.wording import count

_RESULTS, _PAGE, _PICTURES = "detections.json", "index.html", "pictures"
# Lies in the folder of the pictures as long as not all are drawn.
_UNFINISHED = ".unfinished"
# What tells a folder that is another command's.
_FOREIGN = ("operative_config.gin", "owner.json", "saved_model.pb")
# A page of more pictures would be slow to open.
_PAGE_IMAGES = 200
# libjpeg's limit.
_LONGEST_SIDE = 65_500


def predict(
    model: str,
    images: Sequence[str],
    output: str = "predictions",
    score_threshold: float = 0.3,
    averaged: bool = False,
    pictures: bool = True,
    verbosity: str = "normal",
) -> None:
    """Writes what is found on images: COCO results, drawn pictures and a page.

    A file that cannot be read is passed over, counted and named; exit status 1 then.
    One that can be read but not drawn has its detections, and a warning.

    Args:
        model: a run folder, a checkpoint or a SavedModel.
        images: files, folders or patterns.
        output: the folder to write to: a new one, or that of earlier results.
        score_threshold: weaker detections are left out.
        averaged: take the moving averages of the weights.
        pictures: write the pictures and the page too.
        verbosity: "quiet", "normal" or "debug".
    """
    with report_user_errors(verbosity=verbosity):
        from tqdm import tqdm

        from ehsod_tf import prediction
        from ehsod_tf.errors import DataError

        paths = prediction.list_images(images)
        _require_place(output, paths, pictures)
        detector = prediction.load(model, averaged=averaged)
        gallery = _Gallery(output, detector) if pictures else None
        found, unreadable, undrawn = [], [], []
        start = time.perf_counter()
        for path in tqdm(
            paths, unit="image", dynamic_ncols=True, disable=verbosity == "quiet"
        ):
            try:
                found.append(detector.predict_one(path, score_threshold))
            except DataError as error:
                unreadable.append(str(error))
                continue
            try:
                if gallery:
                    gallery.add(found[-1])
            except DataError as error:
                undrawn.append(str(error))
        seconds = time.perf_counter() - start
        os.makedirs(output, exist_ok=True)
        results = os.path.join(output, _RESULTS)
        prediction.write_predictions(results, found)
        print(
            f"{count(len(found), 'image')}, "
            f"{count(sum(map(len, found)), 'detection')}, "
            f"{len(found) / seconds:.1f} images/s"
        )
        print(f"{results}: COCO results")
        if gallery:
            gallery.finish()
    files = count(len(paths), "file")
    for reason in undrawn:
        print(f"warning: {reason}", file=sys.stderr)
    if undrawn:
        print(f"{len(undrawn):,} of {files} not drawn", file=sys.stderr)
    for reason in unreadable:
        print(f"unreadable: {reason}", file=sys.stderr)
    if unreadable:
        print(f"{len(unreadable):,} of {files} unreadable", file=sys.stderr)
        sys.exit(1)


def _require_place(output, paths, pictures):
    """Refuses, before any work, to write over anything but earlier predictions."""
    from ehsod_tf.errors import ConfigError

    remedy = "name a new folder (--output)"
    for name in _FOREIGN:
        if os.path.exists(os.path.join(output, name)):
            raise ConfigError(
                f"{output} holds {name}, so it is a run or a SavedModel; {remedy}"
            )
    if not pictures:
        return
    folder = os.path.join(output, _PICTURES)
    inside = os.path.join(os.path.realpath(folder), "")
    for path in paths:
        if os.path.realpath(path).startswith(inside):
            raise ConfigError(
                f"{path} lies in {folder}, where the drawn pictures go; {remedy}"
            )
    is_page = os.path.exists(os.path.join(output, _PAGE))
    is_whole = is_page and os.path.exists(os.path.join(output, _RESULTS))
    is_stopped = os.path.exists(os.path.join(folder, _UNFINISHED))
    holds_pictures = os.path.isdir(folder) and os.listdir(folder)
    if (is_page or holds_pictures) and not (is_whole or is_stopped):
        raise ConfigError(
            f"{output} holds {_PAGE if is_page else _PICTURES} but not all that "
            f"`ehsod predict` leaves, so it may be something else; {remedy}"
        )


class _Gallery:
    """Drawn pictures in a folder, and a page of the first of them."""

    def __init__(self, output, detector):
        from ehsod_tf.visualization import make_prediction_card

        self._make_card = make_prediction_card
        self._output = output
        self._folder = os.path.join(output, _PICTURES)
        os.makedirs(self._folder, exist_ok=True)
        self._mark = os.path.join(self._folder, _UNFINISHED)
        with open(self._mark, "w"):
            pass
        self._detector = detector
        self._names: set[str] = set()
        self._cards = []

    def add(self, found):
        from ehsod_tf.errors import DataError

        picture = self._detector.draw(found.path, found, score_threshold=0.0)
        if max(picture.size) > _LONGEST_SIDE:
            raise DataError(
                f"{found.path}: has a side of more than {_LONGEST_SIDE:,} pixels, "
                "which no JPEG has, so it is not drawn; cut it"
            )
        name = self._choose_name(found.path)
        picture.save(os.path.join(self._folder, name), quality=92)
        if len(self._cards) < _PAGE_IMAGES:
            self._cards.append(
                self._make_card(found.path, picture, found.classes, found.class_names)
            )

    def finish(self):
        from ehsod_tf.visualization import write_prediction_page

        page = os.path.join(self._output, _PAGE)
        write_prediction_page(page, "Predictions", self._cards, len(self._names))
        os.remove(self._mark)
        print(f"{self._folder}: the images with boxes drawn")
        print(f"{page}: the same on a page")

    def _choose_name(self, path):
        """A name that no earlier image of another folder has taken."""
        stem = os.path.splitext(os.path.basename(path))[0]
        name, number = f"{stem}.jpg", 1
        while name in self._names:
            number += 1
            name = f"{stem}_{number}.jpg"
        self._names.add(name)
        return name
