"""Scores, statistics and table layouts."""
