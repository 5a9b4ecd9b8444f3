"""Measures of quality: pure functions of arrays and a mask of what counts; NaN where nothing does."""
