"""Sharp crops and layers of photos for training, a pure function of (seed, split, step, sample)."""
