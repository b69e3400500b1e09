"""What is said of controls, wherever a table or figure has one."""

import pandas as pd

UNTRAINED = "untrained"
"""The control that is the same network without a training step."""

DESCRIPTIONS = {
    "random_windows": "windows, not songs, dealt at random to the splits",
    "shuffled_labels": "labels shown to it permuted between songs",
    UNTRAINED: "untrained, the same network without a training step",
}


def note(control: str, control_of: str) -> str:
    """What stands beside every score of a control; empty for a model that is none."""
    return f"control of {control_of}: {DESCRIPTIONS[control]}" if control else ""


def are_controls(comparison: pd.DataFrame) -> pd.Series:
    """Whether each row of `tables/comparison.csv` is of a control."""
    return comparison["note"].astype("str").str.contains(r"(?:^|; )control of ", regex=True)
