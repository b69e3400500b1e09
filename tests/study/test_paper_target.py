"""The target `paper` and the config key that puts it into every run."""

from pathlib import Path

import pytest

from pipeline import planned
from songatlas.config.run import load
from songatlas.errors import ConfigError

RULES = {
    "paper_corpus",
    "paper_models",
    "paper_scores",
    "paper_pairwise",
    "paper_reconstruction",
    "paper_figures",
    "paper_reconstruction_figure",
    "paper_leakage",
    "paper_tsne",
    "paper_questions",
}


def test_with_the_key_a_run_makes_every_table_and_figure_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "paper.yaml").write_text("paper: {include: true}\n", encoding="utf-8")
    rules = {rule for rule, _ in planned(tmp_path, "--configfile", "paper.yaml")}
    assert rules >= RULES


def test_without_the_key_the_target_makes_them_and_consensus_is_not_needed(tmp_path: Path) -> None:
    rules = {rule for rule, _ in planned(tmp_path, "--nocolor", "paper")}
    assert rules >= RULES
    assert not {"consensus", "disentanglement", "provenance"} & rules


def test_a_level_that_is_not_clustered_is_a_problem_of_the_config() -> None:
    values = {"paper": {"include": True, "level": "window"}, "clustering": {"levels": ["song"]}}
    with pytest.raises(ConfigError, match=r"paper\.level is `window`"):
        load(values)
