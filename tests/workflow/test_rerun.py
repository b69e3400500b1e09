"""What a change re-runs: a finished run is changed in one way, and Snakemake's plan is read."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from conftest import ROOT
from finished import BASELINES, MODELS, Run
from pipeline import plan_in, planned
from songatlas import tables
from songatlas.config.run import Config
from songatlas.corpus.shards import shard_name, shard_of
from songatlas.run import fingerprint, syntax

SLOW = pytest.mark.slow
EVERYONE = (*MODELS, *BASELINES)

TABLE = {"comparison", "figure_comparison", "model_tests", "summary", "metrics"}
"""What compares representations."""

APART = "disentanglement_table"
"""What says how far their factors come apart."""


def jobs(rules: str, names: Iterable[str]) -> set[str]:
    return {f"{rule} {name}" for rule in rules.split() for name in names}


WITH_PAGES = {"architectures", "changes_table", "comparison", "consensus_tables", "summary"}
WITH_PAGES |= {"training_table", "names", "modalities", APART}
"""What writes Markdown, which `pages` shows."""

CONSENSUS = {"consensus_tables", "figure_choice_of_k", "continuity_table", "names"}
"""What gathers the consensus of every representation, follows its clusters, or names them."""

MATRICES = "figure_confusion"
"""The confusion matrices of every representation."""

OF_MODELS = {"figure_reconstruction", "figure_traversal"}
"""Pictures of what trained models decode."""


FUSED = "fusion_late"
"""The model that reads audio and lyrics: it is clustered by each alone, too."""


def of_modalities(names: Iterable[str]) -> set[str]:
    """What compares the clusters of both modalities with those of one."""
    return {"modalities"} if FUSED in names else set()


def branch(*models: str) -> set[str]:
    """Every job of some models' own, and what shows all trained models."""
    own = jobs("train latents clusters consensus disentanglement", models)
    own |= jobs("traversals", {*models} - {FUSED})
    if FUSED in models:
        own |= {f"ablated_latents {FUSED} {modality}" for modality in ("mel", "lyrics")}
        own |= of_modalities(models)
    drawn = {"figure_training", "maps", MATRICES} | OF_MODELS
    return own | TABLE | CONSENSUS | drawn | {"training_table", APART}


def vectors(names: Iterable[str]) -> set[str]:
    """Every job that follows another vector of a baseline."""
    return clustered(names) | jobs("disentanglement", names) | {APART, "maps"}


def clustered(names: Iterable[str]) -> set[str]:
    own = jobs("clusters consensus", names) | of_modalities(names)
    return own | TABLE | CONSENSUS | {MATRICES}


FIGURES = {
    "figure_comparison",
    "figure_choice_of_k",
    "figure_training",
    "maps",
    MATRICES,
} | OF_MODELS


class Changed(Run):
    """A copy of the finished run, and what would run in it."""

    def plan(self) -> set[str]:
        """Jobs that would run, but for the card (it follows any change) and pages (tables)."""
        names = self.everything()
        assert not names or "provenance" in names
        assert ("pages" in names) is bool(names & WITH_PAGES)
        return names - {"provenance", "pages"}

    def everything(self) -> set[str]:
        """Jobs that would run, as `train beta_vae` or `logmel 00` (there is one seed)."""
        names = set()
        for job in plan_in(self.folder):
            wildcards = {key: value for key, value in job["wildcards"].items() if key != "seed"}
            if job["output"]:
                names.add(" ".join([job["rule"], *wildcards.values()]))
        return names


@pytest.fixture
def run(finished: Run, tmp_path: Path) -> Changed:
    return Changed(finished.copy(tmp_path / "copy").folder)


def test_nothing_changed_nothing_to_do(run: Changed) -> None:
    start = time.perf_counter()
    assert run.everything() == set()
    print(f"planned in {time.perf_counter() - start:.1f} s")


def test_a_models_setting_reruns_that_model_and_what_compares(run: Changed) -> None:
    run.configure("beta: 4.0", "beta: 2.0")
    assert run.plan() == branch("beta_vae") | {"architectures"}
    # The same in Snakemake's own table of jobs.
    counts = dict(planned(run.folder, "--snakefile", str(run.folder / "Snakefile")))
    assert (counts["train"], counts["latents"], counts["clusters"]) == (1, 1, 1)
    assert not {"logmel", "descriptors", "lyrics_features", "baseline_latents"} & set(counts)


def test_saying_what_a_model_changes_trains_nothing(run: Changed) -> None:
    run.configure("beta: 4.0", "beta: 4.0, change: a larger beta")
    assert run.plan() == {"changes_table"}


def test_an_added_model_runs_its_branch(run: Changed) -> None:
    run.configure("models:\n", "models:\n  basic_vae: {architecture: basic_vae, latent_dim: 8}\n")
    assert run.plan() == branch("basic_vae") | {"architectures"}


def test_a_removed_model_leaves_the_comparison(run: Changed) -> None:
    run.configure("  beta_vae: {architecture: conv_vae, beta: 4.0, latent_dim: 8}\n", "")
    assert run.plan() == branch() | {"architectures"}


def test_another_clustering_trains_nothing(run: Changed) -> None:
    run.configure("kmeans, agg", "kmeans, spectral, agg")
    assert run.plan() == clustered(EVERYONE)


def test_another_k_reruns_no_consensus(run: Changed) -> None:
    run.configure("k: [2]", "k: [2, 3]")
    gathered = {"continuity_table"}
    expected = clustered(EVERYONE) - jobs("consensus", EVERYONE) - CONSENSUS | gathered
    assert run.plan() == expected


def test_an_added_song_computes_its_shard_and_keeps_every_split(run: Changed) -> None:
    before = tables.read(run.results / "corpus" / "tracks.parquet", tables.TRACKS)
    run.write_songs([*run.songs(), run.add_song("en", "rock", 7)])
    run.rebuild_corpus()
    after = tables.read(run.results / "corpus" / "tracks.parquet", tables.TRACKS)
    splits, kept = before.set_index("track_id")["split"], after.set_index("track_id")["split"]
    assert kept[splits.index].equals(splits)
    (added,) = set(kept.index) - set(splits.index)
    shard = shard_name(shard_of(added, 2))
    corpus_wide = branch(*MODELS) | vectors(BASELINES) | jobs("baseline_latents", BASELINES)
    features = jobs("logmel descriptors", [shard]) | {"lyrics_features"}
    assert run.plan() == corpus_wide | features | {"fates"}


def test_an_edited_genre_reruns_scores_and_the_model_conditioned_on_it(run: Changed) -> None:
    relabel(run)
    run.rebuild_corpus()
    known = jobs("disentanglement", EVERYONE) | {"figure_traversal"}
    # A label that is missing is a warning, so labels are among what fates read.
    assert run.plan() == clustered(EVERYONE) | known | branch("cvae_genre") | {"fates"}


def relabel(run: Changed) -> None:
    rows = run.songs()
    rows[0]["genre"] = "rock"
    run.write_songs(rows)


def test_a_moved_song_is_the_same_song(run: Changed) -> None:
    rows = run.songs()
    moved = "elsewhere/renamed.wav"
    (run.folder / "songs" / "elsewhere").mkdir()
    (run.folder / "songs" / rows[0]["audio_path"]).rename(run.folder / "songs" / moved)
    rows[0]["audio_path"] = moved
    run.write_songs(rows)
    run.rebuild_corpus()
    # The summary counts tracks.
    assert run.plan() == {"summary", "fates"}


@pytest.mark.slow
def test_an_edited_title_reruns_what_shows_it(run: Changed) -> None:
    rows = run.songs()
    rows[0]["title"] = "Another title"
    run.write_songs(rows)
    run.rebuild_corpus()
    assert run.plan() == OF_MODELS | {"summary", "fates"}


def test_clustering_code_reruns_clusters_onward(run: Changed) -> None:
    run.edit(
        "scripts/songatlas/clustering/algorithms.py",
        "def cluster(",
        "def cluster(\n    *_: None,\n) -> None: ...\n\n\ndef cluster(",
    )
    assert run.plan() == clustered(EVERYONE)


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("confusion", {MATRICES}),
        ("comparison", {"figure_comparison"}),
        pytest.param("reconstruction", {"figure_reconstruction"}, marks=SLOW),
        pytest.param("map", {"maps"}, marks=SLOW),
    ],
)
def test_code_of_a_figure_redraws_that_figure(
    run: Changed, module: str, expected: set[str]
) -> None:
    code = f"scripts/songatlas/report/figures/{module}.py"
    run.edit(code, "\ndef _draw(", "\ndef _draw(*_: object, ")
    assert run.plan() == expected


def test_code_of_a_model_reruns_that_model(run: Changed) -> None:
    code = "scripts/songatlas/models/conv_vae.py"
    run.edit(code, "class Architecture(", "EXTRA = 0\n\n\nclass Architecture(")
    assert run.plan() == branch("beta_vae") | {"architectures"}


def test_comments_docstrings_and_help_texts_rerun_nothing(run: Changed) -> None:
    files = sorted((run.folder / "scripts").rglob("*.py"))
    assert len(files) > 80
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert text.startswith('"""')
        path.write_text(f'"""Words. {text[3:]}\n\n# a comment\n', encoding="utf-8")
    run.edit(
        "scripts/songatlas/config/features.py", "Number of mel bands.", "Bands of the mel scale."
    )
    assert run.everything() == set()


def test_an_edit_of_the_config_model_reruns_the_readers_of_that_section(run: Changed) -> None:
    # A new key and its section: nothing. Clustering's own definition: what reads that section.
    run.edit(
        "scripts/songatlas/config/run.py",
        "class Config(Section):\n",
        "class Server(Section):\n"
        '    port: int = Field(8000, description="Port.")\n\n\n'
        "class Config(Section):\n"
        '    server: Server = Field(Server(), description="Serving.")\n',
    )
    code = "scripts/songatlas/config/clustering.py"
    run.edit(code, 'ge=1, le=1000, description="Starts', 'ge=1, le=999, description="Starts')
    expected = clustered(EVERYONE) | vectors(BASELINES) | jobs("baseline_latents", BASELINES)
    assert run.plan() == expected


def test_readme_and_tests_rerun_nothing_and_style_redraws(run: Changed) -> None:
    (run.folder / "README.md").write_text("Other words.\n", encoding="utf-8")
    (run.folder / "tests" / "config" / "test_config.py").write_text("", encoding="utf-8")
    assert run.everything() == set()
    style = "scripts/songatlas/report/figures/style.py"
    run.edit(style, "\ndef context(", "\ndef context(*_: object, ")
    assert run.plan() == FIGURES


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("compute: {training_threads: 2, gpu_memory_gb: 2}", set()),
        pytest.param("figures: {png_dpi: 100}", FIGURES, marks=SLOW),
        pytest.param("figures: {umap_neighbors: 9}", {"maps"}, marks=SLOW),
        ("disentanglement: {trees: 2}", jobs("disentanglement", EVERYONE) | {APART}),
        pytest.param("lyrics: {max_tokens: 99}", set(), marks=SLOW),
        # The study's tables are made on request.
        pytest.param("paper: {level: window}", set(), marks=SLOW),
        pytest.param(
            "lyrics: {dim: 8}",
            {"lyrics_features", "baseline_latents lyrics_tfidf"} | vectors(["lyrics_tfidf"]),
            marks=SLOW,
        ),
    ],
)
def test_a_setting_reruns_what_reads_it(run: Changed, setting: str, expected: set[str]) -> None:
    run.configure("clustering:", f"{setting}\nclustering:")
    assert run.plan() == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("max_epochs: 1", "max_epochs: 1, device: cpu", branch(*MODELS)),
        pytest.param(
            "training: {", "trainer: {devices: 2}\ntraining: {", branch(*MODELS), marks=SLOW
        ),
        ("draws: 3", "draws: 4", jobs("consensus", EVERYONE) | CONSENSUS | {"summary"}),
        pytest.param(
            "max_epochs: 1", "max_epochs: 1, precision: bf16-mixed", branch(*MODELS), marks=SLOW
        ),
        pytest.param(
            "permutations: 5",
            "summary_algorithms: [kmeans], permutations: 5",
            TABLE | {MATRICES, "modalities"},
            marks=SLOW,
        ),
        pytest.param(
            "n_init: 1",
            "n_init: 1, max_dim: 200",
            clustered(EVERYONE) | vectors(BASELINES) | jobs("baseline_latents", BASELINES),
            marks=SLOW,
        ),
    ],
)
def test_a_key_reruns_what_reads_it(run: Changed, old: str, new: str, expected: set[str]) -> None:
    run.configure(old, new)
    assert run.plan() == expected


@pytest.mark.parametrize("with_songs", [True, False])
def test_a_restored_run_has_nothing_to_do(finished: Run, tmp_path: Path, with_songs: bool) -> None:
    """Elsewhere, with new times in any order; songs that stayed behind are not asked for."""
    restored = Changed(tmp_path / "another" / "place")
    absent = set() if with_songs else {"songs"}
    shutil.copytree(finished.folder, restored.folder, ignore=lambda *_: absent)
    for path in (restored.folder / ".snakemake").iterdir():
        if path.name != "metadata":
            shutil.rmtree(path)
    shuffle_times(restored.folder)
    assert restored.everything() == set()


def shuffle_times(folder: Path) -> None:
    rng = np.random.default_rng(0)
    paths = sorted(folder.rglob("*"))
    for path, age in zip(paths, rng.permutation(len(paths)), strict=True):
        os.utime(path, (time.time() - float(age), time.time() - float(age)))


def test_a_restored_file_that_is_not_the_recorded_one_reruns_what_read_it(run: Changed) -> None:
    latents = run.results / "latents" / "mean_mel" / "seed-0.parquet"
    shutil.copy(run.results / "latents" / "descriptors" / "seed-0.parquet", latents)
    shuffle_times(run.results)
    os.utime(latents)
    assert run.plan() == vectors(["mean_mel"])


def test_explaining_names_the_change(run: Changed) -> None:
    run.configure("beta: 4.0", "beta: 2.0")
    run.edit(
        "scripts/songatlas/models/cvae.py",
        "class Architecture(",
        "EXTRA = 0\n\n\nclass Architecture(",
    )
    done = subprocess.run(
        [sys.executable, "-m", "songatlas.report.explain"],
        cwd=run.folder,
        env={**os.environ, "PYTHONPATH": str(run.folder / "scripts")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "train beta_vae 0: parameters changed (beta 4.0 -> 2.0)" in done.stdout
    assert "its code changed" in done.stdout
    assert "then, because of these:" in done.stdout


@pytest.mark.slow
def test_a_real_run_does_what_was_planned(run: Changed) -> None:
    """In one go, too, although what lies behind the checkpoint is unknown at its start."""
    relabel(run)
    log = run.snakemake().stderr
    ran = [line.split("Rule: ")[1].rstrip(")") for line in log.splitlines() if "(Rule: " in line]
    assert ran.count("train") == 1
    assert not {"logmel", "descriptors", "lyrics_features", "baseline_latents"} & set(ran)
    assert ran.count("clusters") == len(EVERYONE)
    assert run.plan() == set()


@pytest.mark.slow
def test_two_processes_train_in_a_job(run: Changed) -> None:
    run.configure("training: {", "trainer: {devices: 2}\ntraining: {")
    weights = "results/small/models/beta_vae/seed-0/weights.ckpt"
    run.snakemake("--resources", "gpu=2", "--", weights)
    summary = json.loads((run.folder / weights).with_name("summary.json").read_text("utf-8"))
    assert summary["processes"] == 2


SET_BY_SCRIPT = {"leakage.py": {"algorithms", "k"}, "names.py": {"n_init"}}
"""Keys that a script gives values of its own, whatever the config says."""


def test_rules_hand_over_every_key_that_their_script_reads() -> None:
    """Beyond the part of a section that a rule hands over, defaults would be read."""
    checked = 0
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for rule in re.split(
            r"^(?:rule|checkpoint) ", path.read_text(encoding="utf-8"), flags=re.M
        ):
            script = re.search(r"scripts/\w+/(\w+\.py)", rule)
            for name, listed in re.findall(r'plan\.section\(\s*"(\w+)",([^)]*)\)', rule):
                assert script is not None, rule
                keys = set(re.findall(r'"(\w+)"', listed))
                read = attributes_read(fingerprint.entry_script(Path(script[1]).stem), name)
                read &= set(getattr(Config(), name).model_dump())
                assert read - SET_BY_SCRIPT.get(script[1], set()) <= keys, (script[1], name)
                checked += 1
    assert checked >= 8


def attributes_read(script: Path, variable: str) -> set[str]:
    """Attributes of `variable` that a script and the definitions it reaches read."""
    definitions: list[ast.stmt] = ast.parse(script.read_text(encoding="utf-8")).body
    for module, names in fingerprint.reachable(script).items():
        path = ROOT / "scripts" / Path(*module.split("."))
        file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
        body = ast.parse(file.read_text(encoding="utf-8")).body
        definitions += [node for node in body if syntax.bound_names(node) & names]
    return {
        node.attr
        for definition in definitions
        for node in ast.walk(definition)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == variable
    }
