"""Composed scenes: photos in layers, blurred by their depth, with exact truth."""
