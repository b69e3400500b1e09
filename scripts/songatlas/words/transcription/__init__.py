"""Lyrics for songs that have none: who sings, what, and whether to believe it."""
