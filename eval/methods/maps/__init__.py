"""Maps of the detection field, training-free, by name: functions from one photo to a blur score of every pixel.

Each takes an (H, W, 3) uint8 photo and returns an (H, W) float32 score in [0, 1], high where blurred. The score has no
unit: it says where is more blur, not how much. So it enters detection and rank, and no error in px.
"""

from collections.abc import Callable

import numpy as np

from eval.methods.maps import gradient_tail, hifst, lbp, singular_values, spectrum

MAPS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "hifst": hifst.blur_score,
    "lbp": lbp.blur_score,
    "su-svd": singular_values.blur_score,
    "shi-spectrum": spectrum.blur_score,
    "shi-gradient": gradient_tail.blur_score,
}
