"""The config model: defaults, one message for every problem, generated documents up to date."""

from pathlib import Path

import jsonschema
import pytest
import yaml

from conftest import ROOT
from songatlas.config.base import DESCRIPTOR_BANDS
from songatlas.config.corpus import several_corpora
from songatlas.config.run import Config, load, problems_of
from songatlas.config.yaml_files import _merge, load_yaml, repeated_keys
from songatlas.errors import ConfigError
from songatlas.features.audio.descriptors import N_MFCC
from songatlas.models import registry
from songatlas.plan import config_docs
from songatlas.plan.workflow import Plan

DEFAULT = ROOT / "config" / "config.yaml"
FILES = sorted(path.name for path in (ROOT / "config").glob("*.yaml"))


def problems(values: dict) -> str:
    with pytest.raises(ConfigError) as error:
        load(values)
    return str(error.value)


def test_every_problem_is_reported_at_once() -> None:
    text = problems({"seeds": "0,0", "windows": {"lenght_s": 3}, "rum": 1, "shards": 0})
    assert "windows.lenght_s: unknown key `lenght_s`; did you mean `length_s`?" in text
    assert "rum: unknown key `rum`; did you mean `run`?" in text
    assert "seeds: names an entry twice" in text
    assert "shards" in text
    assert text.count("\n") == 4


def test_a_reader_other_than_the_demo_needs_a_path() -> None:
    assert "needs `corpus_path`" in problems({"corpus": "folder"})


def test_unknown_reader_names_the_closest() -> None:
    assert "did you mean `ultrastar`?" in problems({"corpus": "ultrastr", "corpus_path": "x"})


def test_include_names_the_closest_model_or_baseline() -> None:
    text = problems({"include": ["pcaa"], "baselines": {"pca": {"kind": "pca"}}})
    assert "did you mean `pca`?" in text


def test_one_name_for_a_model_and_a_baseline_is_an_error() -> None:
    text = problems({"models": {"a": {"architecture": "x"}}, "baselines": {"a": {"kind": "raw"}}})
    assert "names both" in text


@pytest.mark.parametrize("run", ["../elsewhere", "a/b", "", ".hidden", "a b"])
def test_run_names_stay_inside_results(run: str) -> None:
    assert "run" in problems({"run": run})


def test_lists_may_be_written_with_commas_on_the_command_line() -> None:
    loaded = load({"seeds": "0,1,2", "include": "a", "models": {"a": {"architecture": "x"}}})
    assert loaded.seeds == [0, 1, 2]
    assert loaded.selected_models == ["a"]
    assert load({"seeds": 7}).seeds == [7]


def test_a_model_overrides_training_and_loss() -> None:
    model = {"architecture": "x", "training": {"max_epochs": 3}, "loss": {"scale": "paper"}}
    loaded = load({"models": {"a": model}, "training": {"batch_size": 8}})
    assert (loaded.training_for("a").max_epochs, loaded.training_for("a").batch_size) == (3, 8)
    assert loaded.loss_for("a").scale == "paper"
    wrong = {"models": {"a": {"architecture": "x", "training": {"max_epoch": 3}}}}
    assert "models.a.training.max_epoch" in problems(wrong)
    assert "did you mean `max_epochs`?" in problems(wrong)


def test_descriptors_need_enough_mel_bands() -> None:
    narrow = {
        "logmel": {"n_mels": 16},
        "baselines": {"timbre": {"kind": "descriptors"}, "raw": {"kind": "raw"}},
    }
    assert "logmel.n_mels: the baseline `timbre` needs at least 20 mel bands" in problems(narrow)
    assert load({**narrow, "include": ["raw"]}).logmel.n_mels == 16
    assert DESCRIPTOR_BANDS == N_MFCC


def test_options_of_an_architecture_are_checked_before_any_job() -> None:
    wrong = {
        "a": {"architecture": "vade", "width": [4]},
        "b": {"architecture": "vade", "n_components": "many"},
        "c": {"architecture": "nothing"},
    }
    with pytest.raises(ConfigError) as error:
        registry.check(load({"models": wrong}))
    text = str(error.value)
    assert "models.a.width: unknown key `width`; did you mean `widths`?" in text
    assert "models.b.n_components" in text
    assert "models.c.architecture: unknown architecture `nothing`" in text


@pytest.mark.parametrize("name", FILES)
def test_shipped_files_are_valid(name: str) -> None:
    paths = [DEFAULT] if name == "config.yaml" else [DEFAULT, ROOT / "config" / name]
    merged: dict = {}
    for path in paths:
        merged = _merge(merged, yaml.safe_load(path.read_text(encoding="utf-8")))
    somewhere = "folder=somewhere" if merged["corpus"] == "several" else "somewhere"
    merged["corpus_path"] = merged.get("corpus_path") or somewhere
    loaded = load(merged)
    registry.check(loaded)
    jsonschema.validate(merged, Config.model_json_schema())
    # What stands behind other files names no run.
    expected = "demo" if name in ("config.yaml", "full.yaml") else Path(name).stem
    assert loaded.run == expected


def test_paper_yaml_is_the_full_size_protocol() -> None:
    loaded = load_yaml(DEFAULT, ROOT / "config" / "paper.yaml")
    assert loaded.logmel.n_frames(loaded.windows.length_s) == 1292
    assert (loaded.logmel.n_mels, loaded.windows.hop_s) == (128, 20.0)
    assert loaded.split.model_dump() == {
        "method": "exact",
        "folds": 5,
        "validation": 0.1,
        "test": 0.1,
        "seed": 42,
    }
    assert loaded.loss.scale == "paper"
    assert loaded.evaluation.evaluate_on == "validation"


def test_generated_documents_are_up_to_date() -> None:
    folder = ROOT / "config"
    assert (folder / "README.md").read_text(encoding="utf-8") == config_docs.readme()
    assert (folder / "schema.json").read_text(encoding="utf-8") == config_docs.schema()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"training": {"batch_size": 1}}, "training.batch_size"),
        ({"training": {"learning_rate": float("inf")}}, "training.learning_rate"),
        ({"logmel": {"f_max_hz": 20000.0}}, "above half the sample rate"),
        ({"logmel": {"f_min_hz": 9000.0, "f_max_hz": 100.0}}, "not below the highest frequency"),
        ({"logmel": {"n_fft": 1024, "hop_length": 2048}}, "hop_length is larger than n_fft"),
        ({"windows": {"hop_s": 1e-9}}, "windows.hop_s"),
        ({"clustering": {"k": "3,3"}}, "names an entry twice"),
        ({"evaluation": {"tasks": "genre,genre"}}, "names an entry twice"),
        (
            {"clustering": {"algorithms": "kmeans"}},
            "`agglomerative`, which clustering.algorithms does not run",
        ),
        ({"baselines": {"overview": {"kind": "raw"}}}, "a name of Songatlas's own"),
    ],
)
def test_what_would_crash_later_is_refused_now(values: dict, message: str) -> None:
    assert message in problems(values)


def test_words_that_yaml_reads_as_false_are_words() -> None:
    values = yaml.safe_load("{detect_language: off, transcription: {language: no}}")
    assert values == {"detect_language": False, "transcription": {"language": False}}
    found = load(values)
    assert found.detect_language == "off"
    assert found.transcription.language == "no"
    assert load({}).detect_language == "fill"
    again = load(yaml.safe_load(yaml.safe_dump(found.model_dump(mode="json"))))
    assert again == found


def test_a_number_names_a_run() -> None:
    assert load({"run": 2026}).run == "2026"


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("folder=a,ultrastr=b", "unknown reader `ultrastr`; did you mean `ultrastar`?"),
        ("folder=a,b", "`b` is not <reader>=<path>"),
        ("folder=", "`folder=` is not <reader>=<path>"),
        ("folder=a,folder=b", "names the reader `folder` twice"),
        ("demo=a", "unknown reader `demo`"),
        ("several=a", "unknown reader `several`"),
        ("mirdata:=a", "unknown reader `mirdata:`"),
    ],
)
def test_several_corpora_name_the_part_that_is_wrong(path: str, problem: str) -> None:
    assert f"corpus_path: {problem}" in problems({"corpus": "several", "corpus_path": path})


def test_several_corpora_are_readers_and_paths() -> None:
    found = several_corpora("jamendolyrics=../a, mirdata:gtzan_genre=/b=c")
    assert found == (("jamendolyrics", "../a"), ("mirdata:gtzan_genre", "/b=c"))


def test_cross_validation_scores_what_is_held_out_once_each() -> None:
    folds = {"split": {"method": "folds", "folds": 3}}
    assert "needs evaluation.evaluate_on `test`" in problems(folds)
    test = folds | {"evaluation": {"evaluate_on": "test"}}
    assert "hold out the same fold" in problems(test | {"seeds": [0, 3]})
    assert load(test | {"seeds": [0, 1, 5]}).split.folds == 3


def test_in_cross_validation_baselines_have_a_branch_per_fold() -> None:
    values = {"baselines": {"raw": {"kind": "raw"}}, "seeds": [1, 2]}
    assert Plan(values).untrained == [("raw", 0)]
    folds = {"split": {"method": "folds"}, "evaluation": {"evaluate_on": "test"}}
    plan = Plan(values | folds)
    assert plan.untrained == [("raw", 1), ("raw", 2)]
    assert plan.first_branches == [("raw", 1)]


# --- every problem at once ----------------------------------------------------------------------


def test_problems_of_single_keys_of_combinations_and_of_models_are_one_message() -> None:
    values = {
        "run": "../up",
        "shardz": 3,
        "include": ["pcaa"],
        "windows": {"length_s": "long"},
        "evaluation": {"summary_algorithms": ["dbscan"]},
        "clustering": {"algorithms": ["kmeans"]},
        "models": {"a": {"architecture": "vade", "width": [4], "training": {"max_epochs": 0}}},
        "baselines": {"pca": {"kind": "pca"}},
    }
    with pytest.raises(ConfigError) as error:
        Plan(values)
    lines = str(error.value).splitlines()[1:]
    wanted = [
        "run: ",
        "shardz: unknown key `shardz`; did you mean `shards`?",
        "windows.length_s: ",
        "unknown model or baseline in `include` `pcaa`; did you mean `pca`?",
        "evaluation.summary_algorithms names `dbscan`",
        "models.a.training.max_epochs: ",
        "models.a.width: unknown key `width`; did you mean `widths`?",
    ]
    for text in wanted:
        assert sum(text in line for line in lines) == 1, (text, lines)
    assert len(lines) == len(wanted), lines


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"corpus": "folder", "corpus_path": ["a"]}, "corpus_path"),
        ({"models": {"a": {"latent_dim": 2}}, "include": ["a"]}, "models.a.architecture"),
        ({"models": {"no good": {"architecture": "vade"}}}, "models.no good"),
        ({"models": ["vade"]}, "models"),
        ({"models": {1: {"architecture": "vade"}}}, "models.1"),
        ({"clustering": {"k": [1, 3], "algorithms": "kmeans"}}, "clustering.k.0"),
        ({"logmel": None}, "logmel"),
        ({"seeds": [0.5]}, "seeds.0"),
    ],
)
def test_what_follows_from_a_wrong_key_is_not_told(values: dict, told: str) -> None:
    lines = problems_of(values)
    if "algorithms" in str(values):  # this one is a problem of its own
        lines = [line for line in lines if "summary_algorithms" not in line]
    assert len(lines) == 1, lines
    assert lines[0].startswith(told)


def test_a_key_that_stands_twice_in_a_file_is_told_with_its_lines(tmp_path: Path) -> None:
    text = "models:\n  a: {architecture: vade}\n  b: {architecture: vade}\n  a: {beta: 2}\nrun: x\n"
    file = tmp_path / "twice.yaml"
    file.write_text(text + "split: {seed: 1, seed: 2}\n", encoding="utf-8")
    lines = repeated_keys(file)
    assert len(lines) == 2
    assert lines[0].startswith(f"models.a: stands twice in {file} (lines 2 and 4)")
    assert lines[1].startswith("split.seed: stands twice")
    with pytest.raises(ConfigError) as error:
        Plan({"rum": 1}, [file])
    assert str(error.value).count("\n  - ") == 3
    (tmp_path / "odd.yaml").write_text("a: [1, {b: 1}]\n? [x, y]\n: 2\n", encoding="utf-8")
    (tmp_path / "bad.yaml").write_text("a: [1\n", encoding="utf-8")
    for name in ("odd.yaml", "bad.yaml", "absent.yaml"):
        assert repeated_keys(tmp_path / name) == []


@pytest.mark.parametrize("name", FILES)
def test_shipped_files_have_no_key_twice(name: str) -> None:
    assert repeated_keys(ROOT / "config" / name) == []
