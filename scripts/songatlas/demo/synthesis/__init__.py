"""Synthesis of the demo corpus: from a seed to songs, in float64, without any recorded sound."""
