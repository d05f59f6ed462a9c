"""The detector from its parts."""

from collections.abc import Callable

from ehsod_tf.modeling.ehsod import Ehsod


def build_model(
    num_classes: int,
    backbone: Callable,
    fpn: Callable,
    cam_rpn: Callable,
    cascade: Callable,
    selector: Callable,
    criterion: Callable,
    decoder: Callable,
    teacher: Callable | None = None,
) -> Ehsod:
    """Assembles the detector from factories of its parts; None leaves a part out."""
    return Ehsod(
        backbone=backbone(),
        fpn=fpn(),
        cam_rpn=cam_rpn(num_classes),
        cascade=cascade(num_classes),
        selector=selector(),
        criterion=criterion(),
        decoder=decoder(),
        teacher=teacher() if teacher else None,
    )
