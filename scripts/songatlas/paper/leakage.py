"""What the study's leakage figure and question read."""

COLUMNS = (
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
"""Columns of `tables/leakage.csv`: `split` is `song`, or `window` for a control that splits windows
at random."""
