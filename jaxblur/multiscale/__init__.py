"""Readings of a photo and its smaller copies, fused into one map."""
