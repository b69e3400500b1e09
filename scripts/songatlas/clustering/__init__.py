"""Clustering algorithms on latents."""
