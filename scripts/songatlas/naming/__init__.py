"""Words for clusters and songs, from how they sound and what they sing; no label is read."""
