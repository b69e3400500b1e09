"""Songs found by words: how well audio and lyrics find each other, and queries in free text."""
