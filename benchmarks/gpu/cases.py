"""What is timed, the same on both sides: canvases, batches, classes, kinds of runs."""

import dataclasses

NUM_CLASSES = 80
BOXES_PER_IMAGE = 8


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the table.

    Attributes:
        name: as `--only` and the JSON know it.
        kind: "training" or "inference".
        batch: images.
        precision: "float32" (TF32 where the GPU has it) or "bfloat16".
        target: largest ratio to torchvision that is asked for.
    """

    name: str
    kind: str
    batch: int
    precision: str
    target: float

    @property
    def label(self):
        name = "training step" if self.kind == "training" else "inference"
        return f"{name}, batch {self.batch}, {self.precision}"


GPU_CASES = (
    Case("train_2", "training", 2, "float32", 1.0),
    Case("train_8", "training", 8, "float32", 0.9),
    Case("infer_8", "inference", 8, "float32", 0.75),
    Case("train_8_bf16", "training", 8, "bfloat16", 0.9),
    Case("infer_8_bf16", "inference", 8, "bfloat16", 0.75),
)
CPU_CASES = (
    Case("train_2", "training", 2, "float32", 0.9),
    Case("infer_1", "inference", 1, "float32", 0.9),
)
GPU_CANVAS = (800, 1216)
CPU_CANVAS = (608, 800)
TINY_CANVAS = (96, 128)
