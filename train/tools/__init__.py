"""Commands around training: compare, average, ablate, look at samples."""
