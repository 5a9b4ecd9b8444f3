"""Canny edges."""
