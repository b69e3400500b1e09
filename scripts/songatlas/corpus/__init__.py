"""Readers, checks, splits and windows: from a folder of songs to the corpus tables."""
