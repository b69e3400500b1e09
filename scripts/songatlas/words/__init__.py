"""Words for clusters and songs, and songs found by words; no label is read."""
