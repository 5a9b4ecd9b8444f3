"""Settings of distillation."""

import dataclasses

from train.config import OptimiserConfig
from train.settings import check_counts, check_fractions


@dataclasses.dataclass(frozen=True, kw_only=True)
class DistilConfig:
    """What the small network sees, and what counts."""

    steps: int = 30000
    points: int = 128  # per step, over all devices; a multiple of 8
    taught_files: int = 160  # of views that the teacher has read, see `views.TAUGHT`
    labelled_files: int = 160  # of views with the truth alone, see `views.LABELLED`; they cost a tenth
    scenes: int = 320  # composed, that views are cut from
    truth_weight: float = (
        0.5  # of the true radius where the teacher has spoken too; the rest is the teacher's
    )
    depth_truth_weight: float = 0.3  # of the true label of depth edges, beside the teacher's
    optimiser: OptimiserConfig = OptimiserConfig(average=0.998, adam_rate=2e-3, warmup_steps=100)

    def __post_init__(self) -> None:
        check_counts(self, "steps", "points", "scenes")
        if self.points % 8:
            raise ValueError(f"points must be a multiple of 8, got {self.points}")
        if self.taught_files < 0 or self.labelled_files < 0 or not self.taught_files + self.labelled_files:
            raise ValueError(
                f"there must be files of views, got {self.taught_files} taught and {self.labelled_files} labelled"
            )
        for name in ("truth_weight", "depth_truth_weight"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        check_fractions(self)
