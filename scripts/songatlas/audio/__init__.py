"""Decoding, log-mel spectrograms and descriptors."""
