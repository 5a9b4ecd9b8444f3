"""What the report calls each measure, in which unit it is, and which way is better."""

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Label:
    """Of one measure: short title, unit ("px" or nothing), better direction, one sentence for the reader."""

    title: str
    unit: str
    better: Literal["low", "high"]
    meaning: str


def _in_px(unit: str, word: str) -> dict[str, Label]:
    return {
        f"{unit}_mae": Label(f"MAE of {word}", "px", "low", "mean absolute error"),
        f"{unit}_rmse": Label(f"RMSE of {word}", "px", "low", "root of the mean square error"),
        f"{unit}_mse": Label(f"MSE of {word}", "px²", "low", "mean square error"),
        f"{unit}_ai1": Label(
            f"MAE after fit of {word}",
            "px",
            "low",
            "MAE after the best affine map of the estimate, AI(1) of Garg et al. 2019",
        ),
        f"{unit}_ai2": Label(
            f"RMSE after fit of {word}",
            "px",
            "low",
            "RMSE after the best affine map of the estimate, AI(2) of Garg et al. 2019",
        ),
        f"{unit}_spearman": Label(
            f"Spearman's ρ, {word}", "", "high", "rank correlation with the ground truth"
        ),
        f"{unit}_rank_error": Label(f"1 − |ρ|, {word}", "", "low", "rank error (Garg et al. 2019)"),
    }


LABELS: dict[str, Label] = {
    **_in_px("radius", "radius"),
    **_in_px("sigma", "sigma"),
    "mae_without_floor": Label(
        "MAE without floor",
        "px",
        "low",
        "mean absolute error of the radius, answers below the lowest level of the set as they are",
    ),
    "stack_spearman": Label(
        "Rank along the stack",
        "",
        "high",
        "Spearman's ρ of blur and distance to the sharpest frame, over frames; mean over places",
    ),
    "low_mae": Label(
        "MAE up to 6 px",
        "px",
        "low",
        "mean absolute error where the true radius is at most 6 px, the last level",
    ),
    "edge_mae": Label("MAE at edges", "px", "low", "mean absolute error of the radius at Canny edge points"),
    "dmenet_mse": Label(
        "DMENet MSE", "", "low", "RTF protocol of Lee et al. 2019: sigma / 3.275, clipped at 1"
    ),
    "dmenet_mae": Label(
        "DMENet MAE", "", "low", "RTF protocol of Lee et al. 2019: sigma / 3.275, clipped at 1"
    ),
    "risk_area": Label(
        "Area under risk-coverage",
        "px",
        "low",
        "mean error over all fractions of most confident pixels (Geifman 2017)",
    ),
    "right": Label(
        "Right",
        "",
        "high",
        "fraction of pixels whose radius is within 0.5 px or a quarter of it of the truth",
    ),
    "calibration_error": Label(
        "Calibration error",
        "",
        "low",
        "mean difference of confidence and fraction that is right, by ten bins (Guo et al. 2017)",
    ),
    "depth_precision": Label(
        "Depth edges, precision", "", "high", "fraction within 3 px of a step of the true blur"
    ),
    "depth_recall": Label(
        "Depth edges, recall", "", "high", "fraction of true steps within 3 px of a depth edge"
    ),
    "depth_f": Label("Depth edges, F", "", "high", "harmonic mean of the two (Martin et al. 2004)"),
    "average_precision": Label("Average precision", "", "high", "area under the precision-recall curve"),
    "roc_area": Label("ROC area", "", "high", "probability that a blurred pixel scores above a sharp one"),
    "f_max": Label(
        "F, best threshold", "", "high", "beta² = 0.3, of mean precision and recall (Achanta et al. 2009)"
    ),
    "f_adaptive": Label(
        "F, adaptive threshold", "", "high", "beta² = 0.3 at twice the mean score (Achanta 2009)"
    ),
    "iou": Label("IoU", "", "high", "of what is blurred, at 0.3 max + 0.7 min of the map (Park et al. 2017)"),
    "accuracy": Label("Accuracy", "", "high", "fraction of pixels judged right, at the same threshold"),
    "score_mae": Label("MAE of score", "", "low", "mean |score − mask|; score 0 at radius 0.5 px, 1 at 6 px"),
    "seconds": Label("Time per image", "s", "low", "median; in brackets where it includes compilation"),
    "megapixels_per_second": Label(
        "Throughput", "Mpx/s", "high", "median; in brackets where it includes compilation"
    ),
}
