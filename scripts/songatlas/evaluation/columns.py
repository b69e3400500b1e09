"""Columns of tables that more than one module writes or reads."""

LEAKAGE = (
    "model",
    "control",
    "task",
    "metric",
    "split",
    "value",
    "sd",
    "ci_low",
    "ci_high",
    "chance",
    "n",
    "note",
)
"""Of `tables/leakage.csv`; `split`: `song`, or `window` for a control that deals windows."""

TESTS = (
    "task",
    "metric",
    "level",
    "model_a",
    "model_b",
    "n_pairs",
    "mean_a",
    "mean_b",
    "difference",
    "ci_low",
    "ci_high",
    "effect_size",
    "cliffs_delta",
    "p",
    "p_holm",
    "note",
)
"""`tables/tests.csv`."""
