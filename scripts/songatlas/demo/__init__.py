"""The demo corpus: songs, lyrics and labels made from a seed."""
