"""Pretrained encoders: vectors of windows from models that others trained."""
