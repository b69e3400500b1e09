"""Representations that are computed without training."""
