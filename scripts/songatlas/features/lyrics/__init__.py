"""Cleaning, time alignment and embedding of lyrics."""
