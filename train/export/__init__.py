"""Trained variables and weights as files."""
