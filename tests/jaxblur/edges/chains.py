"""Chains of edge points that are hard to follow."""

import numpy as np


def spiral(side: int) -> np.ndarray:
    """A single chain, one pixel wide, wound inwards with gaps of one pixel."""
    plane = np.zeros((side, side), bool)
    (r, c), (dr, dc) = (0, 0), (0, 1)

    def taken(r: int, c: int) -> bool:
        return not (0 <= r < side and 0 <= c < side) or plane[r, c]

    while True:
        plane[r, c] = True
        ahead_twice = (r + 2 * dr, c + 2 * dc)
        outside = not (0 <= r + dr < side and 0 <= c + dc < side)
        if outside or (taken(*ahead_twice) and 0 <= ahead_twice[0] < side and 0 <= ahead_twice[1] < side):
            dr, dc = dc, -dr
            blocked = (r + 2 * dr, c + 2 * dc)
            if taken(r + dr, c + dc) or taken(*blocked):
                return plane
        r, c = r + dr, c + dc
