"""Sound files: packets, decoding, what is wrong with them."""
