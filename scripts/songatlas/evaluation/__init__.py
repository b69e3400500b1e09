"""Numbers: scores, chance, intervals, probes, leakage, tests."""
