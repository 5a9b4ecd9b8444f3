"""Photos as arrays: values, geometry, smaller copies."""
