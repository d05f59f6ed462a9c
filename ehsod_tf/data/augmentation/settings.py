"""The settings of augmentation."""

import dataclasses

from ehsod_tf.errors import ConfigError, require_share

_STRENGTHS = ("brightness", "contrast", "saturation")


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How much a training image may be changed. Equal bounds or 0 turn a part off.

    Scale jitter follows "Simple copy-paste" (Ghiasi et al. 2021, Sec. 3.1), pixel
    changes torchvision's `ColorJitter`, erasing Zhong et al. 2020, "Random erasing".

    Attributes:
        min_scale, max_scale: bounds of the factor by which an image is resized beyond
            its usual size, log-uniform. What no longer fits its canvas is cropped, at a
            uniformly drawn place.
        min_visible: a box of which a crop leaves a smaller share of its area is
            dropped: what is left may show nothing of the object. Others are clipped.
        weak_min_area: share of a weak image that a crop keeps at least, which bounds
            its factor by 1 / sqrt(share): nobody knows where its labelled objects are,
            and a crop must not lose them often.
        brightness, contrast, saturation: b draws a factor uniformly from
            [1 - b, 1 + b]. Contrast is about the image's mean grey.
        hue: h rotates the hue by up to h turns either way.
        erase_probability: of filling a rectangle of the image with one random colour.
        erase_area: bounds of that rectangle's share of the image, log-uniform.
    """

    min_scale: float = 0.5
    max_scale: float = 2.0
    min_visible: float = 0.2
    weak_min_area: float = 0.5
    brightness: float = 0.3
    contrast: float = 0.3
    saturation: float = 0.4
    hue: float = 0.03
    erase_probability: float = 0.5
    erase_area: tuple[float, ...] = (0.02, 0.15)

    def __post_init__(self):
        self._require(
            0 < self.min_scale <= self.max_scale,
            f"needs 0 < min_scale <= max_scale, got {self.min_scale} and "
            f"{self.max_scale}",
        )
        for name in ("min_visible", "weak_min_area"):
            value = getattr(self, name)
            self._require(0 < value <= 1, f"{name} is above 0, up to 1, got {value}")
        for name in (*_STRENGTHS, "erase_probability"):
            require_share(f"Augmentation: {name}", getattr(self, name))
        self._require(0 <= self.hue <= 0.5, f"hue is from 0 to 0.5, got {self.hue}")
        self._require(
            len(self.erase_area) == 2 and 0 < self.erase_area[0] <= self.erase_area[1],
            f"erase_area needs two bounds, (low, high), above 0, got {self.erase_area}",
        )
        self._require(
            self.erase_area[1] <= 1,
            f"erase_area cannot exceed the whole image, 1, got {self.erase_area}",
        )

    def _require(self, condition: bool, message: str) -> None:
        if not condition:
            raise ConfigError(f"Augmentation: {message}")
