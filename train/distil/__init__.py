"""Distillation: a small network learns what a large one says at edge points, and the truth where it is known."""
