"""Commands beside `python -m eval`."""
