"""Evaluation of defocus estimators: data sets in, one table and one report out (`python -m eval --help`)."""
