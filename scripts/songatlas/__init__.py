"""Songatlas maps a music collection sung in several languages."""

__version__ = "0.1.0"
