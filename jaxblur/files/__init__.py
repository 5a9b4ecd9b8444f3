"""Photos in, results out."""
