"""The mean of each logged scalar over the steps of an epoch."""

from dataclasses import dataclass, field


@dataclass
class EpochMeans:
    """Sums of an epoch's scalars so far.

    The sums are in double precision and in the order of the steps, and pass through a
    checkpoint (`dataclasses.asdict`, JSON) without loss, so that an epoch that was
    interrupted has the same means, to the last bit, as one that was not.
    """

    steps: int = 0
    sums: dict[str, float] = field(default_factory=dict)
    learning_rate: float = 0.0
    gradient_norm_max: float = 0.0

    def add(self, logs: dict[str, float]) -> None:
        """Adds the scalars of one step; each step must log the same names."""
        self.steps += 1
        for name, value in logs.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.learning_rate = logs["learning_rate"]
        self.gradient_norm_max = max(self.gradient_norm_max, logs["gradient_norm"])

    def compute(self) -> dict[str, float]:
        """Returns the means; of the learning rate, the last step's value instead."""
        means = {name: total / self.steps for name, total in self.sums.items()}
        means["learning_rate"] = self.learning_rate
        means["gradient_norm_max"] = self.gradient_norm_max
        return means
