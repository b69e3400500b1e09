"""The workflow end to end, through Snakemake: what finished runs leave, runs of odd corpora."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import ROOT
from finished import Run
from pipeline import SMALL, snakemake, write_corpus, write_song
from songatlas import tables
from songatlas.config.run import Config
from songatlas.config.yaml_files import load_yaml
from songatlas.models import registry
from songatlas.training.weights import load_weights

SLOW = pytest.mark.slow


@dataclass(frozen=True)
class Tested:
    """A finished run, and how Snakemake is called for it."""

    folder: Path
    repository: Path
    arguments: tuple[str, ...]
    songs: str
    """Folder of its songs, in `folder`."""

    def run(self, *more: str, check: bool = True) -> str:
        done = snakemake(
            self.folder, *self.arguments, *more, check=check, repository=self.repository
        )
        return done.stdout + done.stderr

    @property
    def results(self) -> Path:
        return self.folder / "results" / "small"

    @property
    def config(self) -> Config:
        return load_yaml(self.results / "config.yaml")

    @property
    def names(self) -> set[str]:
        return {*self.config.models, *self.config.baselines}

    @property
    def of_spectrograms(self) -> list[str]:
        models = self.config.models
        return [name for name in models if not models[name].vectors]


@pytest.fixture(
    scope="module", params=["few models", pytest.param("every model of the defaults", marks=SLOW)]
)
def tested(
    request: pytest.FixtureRequest, finished: Run, tmp_path_factory: pytest.TempPathFactory
) -> Tested:
    folder = tmp_path_factory.mktemp("a working folder")
    if request.param == "few models":
        copy = finished.copy(folder / "copy").folder
        return Tested(copy, copy, ("--config", "corpus_path=songs"), "songs")
    write_corpus(folder / "my songs")
    (folder / "small.yaml").write_text(SMALL, encoding="utf-8")
    arguments = ("--configfile", "small.yaml", "--config", "corpus_path=my songs")
    every = Tested(folder, ROOT, arguments, "my songs")
    every.run()
    return every


@pytest.fixture(scope="module")
def results(tested: Tested) -> Path:
    return tested.results


def test_every_model_and_baseline_is_compared_on_every_task(tested: Tested, results: Path) -> None:
    table = pd.read_csv(results / "tables" / "comparison.csv")
    assert set(table["model"]) == tested.names
    assert set(table["task"]) == {"language", "genre", "language_genre"}
    assert set(table["level"]) == {"window", "song", "song_vote"}
    song = table[(table["level"] == "song") & (table["task"] == "genre")]
    assert (song["n"] == 12).all()
    assert song["nmi_mean"].notna().all()
    assert song["best_chance_nmi"].notna().all()
    supervised = set(table.loc[table["supervision"] == "labels", "model"])
    assert supervised == {"cvae_language", "cvae_genre"}


def test_every_model_and_baseline_is_measured_against_every_factor(
    tested: Tested, results: Path
) -> None:
    table = pd.read_csv(results / "tables" / "disentanglement.csv")
    assert set(table["model"]) == tested.names
    assert set(table["level"]) == set(tested.config.disentanglement.levels)
    table = table[table["level"] == "song"]
    known = table[table["factor"].isin(["language", "genre"])]
    assert known["value"].notna().all()
    assert known["chance"].notna().all()
    # This corpus brings no other factor: null, with the reason.
    unknown = table[table["factor"] == "tempo_bpm"]
    assert unknown["value"].isna().all()
    # Behind what a baseline's own note says of its vectors.
    assert unknown["note"].str.endswith("no song has it").all()


def test_the_explorer_is_made_when_asked_for(tested: Tested, results: Path) -> None:
    page = results / "report" / "explorer"
    assert not page.exists()
    tested.run("explorer={projections: [pca], music_view: true}", "--", "explorer")
    assert (page / "index.html").is_file()
    assert len(list((page / "data").glob("model-*.js"))) == len(tested.names)
    assert len(list((page / "spectrograms").rglob("*.png"))) == len(
        tables.read(results / "corpus" / "windows.parquet", tables.WINDOWS)
    )
    songs = tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)["audio_path"].count()
    assert len(list((page / "data" / "time").rglob("*.js"))) == songs
    assert not (page / "audio").exists()  # only the demo's config turns previews on
    for path in page.rglob("*.js"):
        assert str(tested.folder) not in path.read_text(encoding="utf-8")


def test_new_songs_are_assigned_without_training(tested: Tested, results: Path) -> None:
    new = tested.folder / "new songs" / "english" / "pop"
    write_song(new / "fresh.wav", "pop", 5)
    shutil.copy(next((tested.folder / tested.songs).rglob("*.wav")), new / "copy.wav")
    (new / "broken.mp3").write_text("this is no audio")
    weights = {path: path.stat().st_mtime_ns for path in results.rglob("*.ckpt")}
    settings = "assign={path: new songs, calibrate_on: all, false_alarm_rate: 0.2}"
    said = tested.run(settings, "--", "drift")
    assert ["total", "2"] in [line.split() for line in said.splitlines()]
    frame = tables.read(results / "assign" / "new" / "assignments.parquet", tables.ASSIGNMENTS)
    assert set(frame["source_id"]) == {"english/pop/fresh"}
    read = {"multimodal_vae", "multimodal_vade", "fusion_late", "lyrics_tfidf", "e5", "language_id"}
    assert set(frame["model"]) == tested.names - read
    assert (frame.loc[frame["algorithm"].isin(["kmeans", "gmm"]), "agreement"] == 1.0).all()
    assert frame["p_novel"].between(0, 1).all()
    rejects = tables.read(results / "assign" / "new" / "rejects.parquet", tables.REJECTS)
    reasons = {Path(row.path).name: row.reason for row in rejects.itertuples()}
    assert reasons == {"copy.wav": "duplicate", "broken.mp3": "not_audio"}
    drift = pd.read_csv(results / "assign" / "new" / "drift.csv")
    assert drift["note"].str.contains("2 new ones").all()  # one song is no sample
    assert {path: path.stat().st_mtime_ns for path in results.rglob("*.ckpt")} == weights


def test_songs_are_not_assigned_to_a_run_that_is_not_there(tested: Tested) -> None:
    said = tested.run("run=other", f"assign={{path: {tested.songs}}}", "--", "assign", check=False)
    assert "the run `other` is not finished" in said
    assert not (tested.folder / "results" / "other" / "models").exists()


def test_lyrics_tell_the_languages_apart(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "comparison.csv")
    rows = table[(table["model"] == "lyrics_tfidf") & (table["level"] == "song")]
    assert rows.set_index("task").loc["language", "nmi_mean"] == pytest.approx(1.0)


def test_descriptors_tell_tones_from_noise(results: Path) -> None:
    table = pd.read_csv(results / "tables" / "comparison.csv")
    rows = table[(table["model"] == "descriptors") & (table["level"] == "song")]
    assert rows.set_index("task").loc["genre", "nmi_mean"] > 0.9


def test_every_input_is_a_track_or_a_reject(results: Path) -> None:
    tracks = tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)
    rejects = tables.read(results / "corpus" / "rejects.parquet", tables.REJECTS)
    assert len(tracks) == 12
    assert list(rejects["reason"]) == ["not_audio"]
    assert rejects["path"][0].endswith("broken.mp3")
    assert tracks["split"].isin(tables.SPLITS).all()


def test_windows_follow_the_formula(results: Path) -> None:
    windows = tables.read(results / "corpus" / "windows.parquet", tables.WINDOWS)
    tracks = tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)
    whole_s = tracks.set_index("track_id")["duration_s"].round().astype(int)
    counts = windows.groupby("track_id").size()
    assert (counts == (whole_s[counts.index] - 8) // 4 + 1).all()


def test_every_figure_is_there_and_holds_something(tested: Tested, results: Path) -> None:
    names = sorted(tested.names)
    models = tested.config.models
    vaes = [n for n in tested.of_spectrograms if registry.variational(models[n].architecture)]
    expected = ["comparison", "training", *(f"confusion/{name}" for name in names)]
    expected += [f"reconstruction/{name}" for name in tested.of_spectrograms]
    expected += [f"traversal/{name}" for name in vaes]
    expected += [
        f"map/{name}-{by}" for name in (*names, "overview") for by in ("language", "genre")
    ]
    for name in expected:
        for extension in ("svg", "png"):
            path = results / "figures" / f"{name}.{extension}"
            assert path.stat().st_size > 3000, path


def test_every_rule_wrote_a_log_and_a_benchmark(results: Path) -> None:
    logs = {path.relative_to(results / "logs").parts[0].split(".")[0] for path in logged(results)}
    timed = {
        path.relative_to(results / "benchmarks").parts[0].split(".")[0]
        for path in (results / "benchmarks").rglob("*.tsv")
    }
    assert logs == timed
    assert {"train", "latents", "clusters", "comparison", "corpus", "summary"} <= logs


def logged(results: Path) -> list[Path]:
    return list((results / "logs").rglob("*.log"))


def test_training_leaves_weights_history_and_summary_and_no_resume_state(
    tested: Tested, results: Path
) -> None:
    folder, epochs = results / "models/cvae_genre/seed-0", tested.config.training.max_epochs
    assert json.loads((folder / "summary.json").read_text())["epochs"] == epochs
    history = tables.read(folder / "history.parquet", tables.HISTORY)
    assert set(history["epoch"]) == set(range(epochs))
    assert not list((results / "resume").rglob("*.ckpt"))


def test_the_run_ends_with_the_table_and_the_report(tested: Tested, results: Path) -> None:
    (results / "report" / "summary.md").unlink()
    text = tested.run()
    assert "genre, songs (mean of windows)" in text
    assert "results/small/report/summary.md" in text
    assert (results / "report" / "summary.md").is_file()


def test_tables_and_figures_name_the_card_and_the_card_lists_them(results: Path) -> None:
    card = "results/small/provenance.json"
    entities = json.loads((results / "provenance.json").read_text())["entity"]
    folders = ("figures", "tables", "report")
    files = [path for name in folders for path in (results / name).rglob("*") if path.is_file()]
    # The explorer is made when asked for, after the card.
    explorer = results / "report" / "explorer"
    files = [path for path in files if not path.is_relative_to(explorer)]
    assert len(files) > 60
    for path in files:
        entity = entities["run:results/small/" + path.relative_to(results).as_posix()]
        content = path.read_bytes()
        assert entity["songatlas:sha256"] == hashlib.sha256(content).hexdigest()
        if path.suffix not in (".csv", ".txt"):
            assert card.encode() in content, path


def test_the_config_left_behind_is_the_config_of_the_run(tested: Tested, results: Path) -> None:
    left = ("--configfile", str(results / "config.yaml"), "--dry-run")
    done = snakemake(tested.folder, *left, repository=tested.repository)
    assert "Nothing to be done" in done.stdout + done.stderr


def test_a_finished_run_has_nothing_to_do(tested: Tested) -> None:
    assert "Nothing to be done" in tested.run("--dry-run")


def test_the_snakemake_report_holds_every_figure(tested: Tested) -> None:
    tested.run("--report", "report.html")
    html = (tested.folder / "report.html").read_text(encoding="utf-8")
    figures = ("comparison.svg", "overview-genre.svg", "training.svg", "beta_vae.svg")
    for name in (*figures, "provenance.json", "summary.html", "comparison.html", "training.html"):
        assert name in html


def test_every_markdown_page_has_a_page_that_a_browser_shows(results: Path) -> None:
    sources = [results / "report" / "summary.md", *(results / "tables").glob("*.md")]
    assert len(sources) > 5
    for source in sources:
        page = (results / "report" / "pages" / f"{source.stem}.html").read_text(encoding="utf-8")
        assert "<table>" in page or source.stem == "summary"
        assert "Provenance: results/small/provenance.json" in page


def test_architectures_need_no_corpus(tmp_path: Path) -> None:
    target = "results/paper/tables/architectures.csv"
    snakemake(tmp_path, "--configfile", str(ROOT / "config" / "paper.yaml"), "--", target)
    table = pd.read_csv(tmp_path / target)
    columns = ["model", "type", "parameters", "latent_dim", "compression", "key_feature"]
    assert list(table.columns) == [*columns, "trained_on", "licence"]
    assert table["trained_on"].notna().sum() == 1  # musicnn's weights alone come from elsewhere
    counts = table.set_index("model")["parameters"]
    assert counts["conv_vae"] == 64_458_049
    assert counts["cvae_language"] == 69_709_761


def test_a_wrong_config_stops_before_any_job(tmp_path: Path) -> None:
    done = snakemake(tmp_path, "--config", "incluse=pca", "shards=0", check=False)
    assert done.returncode != 0
    text = done.stdout + done.stderr
    assert "did you mean `include`?" in text
    assert "shards" in text
    assert "Snakefile" not in text.split("The configuration has problems")[1]
    assert "WorkflowError" not in text
    assert "Traceback" not in text
    assert not (tmp_path / "results").exists()


def test_a_corpus_without_a_usable_song_says_so(tmp_path: Path) -> None:
    path = tmp_path / "songs" / "english" / "pop" / "a.mp3"
    path.parent.mkdir(parents=True)
    path.write_text("no audio")
    small = tmp_path / "small.yaml"
    small.write_text(SMALL, encoding="utf-8")
    more = ("--configfile", "small.yaml", "--config", "corpus_path=songs")
    done = snakemake(tmp_path, *more, check=False)
    assert done.returncode != 0
    assert "not_audio" in done.stdout + done.stderr


def odd_run(folder: Path, *more: str) -> pd.DataFrame:
    """Run a few models and baselines on an odd corpus; the comparison by model (song level)."""
    (folder / "small.yaml").write_text(SMALL.replace("max_epochs: 2", "max_epochs: 1"))
    include = "include=basic_vae,cvae_language,mean_mel,lyrics_tfidf"
    snakemake(folder, "--configfile", "small.yaml", "--config", include, *more)
    assert (folder / "results" / "small" / "report" / "summary.md").is_file()
    table = pd.read_csv(folder / "results" / "small" / "tables" / "comparison.csv")
    return table[table["level"] == "song"].set_index(["model", "task"])


@SLOW
def test_songs_without_labels_leave_null_rows_with_a_note(tmp_path: Path) -> None:
    write_corpus(tmp_path / "songs")
    files = sorted(path for path in (tmp_path / "songs").rglob("*.wav"))[:4]
    rows = [
        {
            "song_id": path.stem + str(i),
            "title": None,
            "language": None,
            "genre": None,
            "filename": path.name,
            "audio_path": str(path),
            "lyrics_path": str(path.with_suffix(".txt")),
            "has_lyrics": True,
        }
        for i, path in enumerate(files)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.csv", index=False)
    table = odd_run(tmp_path, "corpus=manifest", "corpus_path=manifest.csv")
    assert table["nmi_mean"].isna().all()
    assert "no song of this corpus has a language" in table.loc[("cvae_language", "genre"), "note"]
    assert table["note"].notna().all()


@SLOW
def test_songs_without_audio_leave_null_rows_with_a_note(tmp_path: Path) -> None:
    write_corpus(tmp_path / "songs")
    rows = [
        {
            "song_id": f"{path.parent.name}-{path.stem}-{i}",
            "title": path.stem,
            "language": path.parent.parent.name,
            "genre": path.parent.name,
            "filename": None,
            "audio_path": None,
            "lyrics_path": str(path),
            "has_lyrics": True,
        }
        for i, path in enumerate(sorted((tmp_path / "songs").rglob("*.txt")))
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "manifest.csv", index=False)
    table = odd_run(tmp_path, "corpus=manifest", "corpus_path=manifest.csv")
    assert table.loc[("lyrics_tfidf", "language"), "nmi_mean"] == pytest.approx(1.0)
    for model in ("basic_vae", "cvae_language", "mean_mel"):
        assert pd.isna(table.loc[(model, "language"), "nmi_mean"])
        assert table.loc[(model, "language"), "n"] == 0
    assert "no window" in table.loc[("basic_vae", "language"), "note"]


@SLOW
def test_a_single_song_leaves_null_rows_with_a_note(tmp_path: Path) -> None:
    write_song(tmp_path / "songs" / "english" / "pop" / "only.wav", "pop", 1)
    table = odd_run(tmp_path, "corpus=folder", "corpus_path=songs")
    assert table["nmi_mean"].isna().all()
    assert table["note"].notna().all()


CONTROLS = """\
models:
  beta_vae_windows: {architecture: conv_vae, beta: 4.0, latent_dim: 8, control: random_windows}
  cvae_genre_shuffled:
    {architecture: cvae, condition_on: genre, latent_dim: 8, control: shuffled_labels}
  beta_vae_untrained: {architecture: conv_vae, beta: 4.0, latent_dim: 8, control: untrained}
"""


def with_controls(finished: Run, tmp_path: Path, *targets: str) -> Path:
    """A copy of the finished run, with targets of a config that declares controls besides."""
    copy = finished.copy(tmp_path / "copy")
    (copy.folder / "controls.yaml").write_text(CONTROLS, encoding="utf-8")
    wanted = (f"results/small/{name}" for name in targets)
    copy.snakemake("--configfile", "controls.yaml", "--", *wanted)
    return copy.results


def test_a_control_whose_windows_are_dealt_stands_beside_its_model(
    finished: Run, tmp_path: Path
) -> None:
    results = with_controls(finished, tmp_path, "tables/leakage.csv")
    table = pd.read_csv(results / "tables" / "leakage.csv")
    assert set(table["model"]) == {"beta_vae"}
    assert set(table["control"]) == {"beta_vae_windows"}
    assert table["split"].tolist() == ["song", "window"] * (len(table) // 2)
    sizes = table[table["metric"] == "validation_loss"]["n"]
    assert sizes.nunique() == 1
    latents = tables.read(
        results / "latents" / "beta_vae_windows" / "seed-0.parquet", tables.LATENTS
    )
    windows = tables.read(results / "corpus" / "windows.parquet", tables.WINDOWS)
    dealt = latents[latents["level"] == "window"]
    assert dealt["split"].value_counts().to_dict() == windows["split"].value_counts().to_dict()
    assert not (results / "latents" / "cvae_genre_shuffled").exists()


@SLOW
def test_a_run_with_controls_marks_them_everywhere(finished: Run, tmp_path: Path) -> None:
    results = with_controls(
        finished,
        tmp_path,
        "tables/comparison.csv",
        "report/summary.md",
        "figures/comparison.svg",
        "figures/training.svg",
    )
    table = pd.read_csv(results / "tables" / "comparison.csv")
    notes = table.set_index("model")["note"]
    assert notes["beta_vae_windows"].str.startswith("control of beta_vae: windows").all()
    assert notes["cvae_genre_shuffled"].str.startswith("control of cvae_genre: labels").all()
    supervision = table.set_index("model")["supervision"]
    assert set(supervision["cvae_genre_shuffled"]) == {"none"}
    assert set(supervision["cvae_genre"]) == {"labels"}
    text = (results / "report" / "summary.md").read_text(encoding="utf-8")
    assert "3 controls besides, which do not compete" in text
    _untrained_keeps_its_start(results, notes["beta_vae_untrained"])


def _untrained_keeps_its_start(results: Path, notes: pd.Series) -> None:
    assert notes.str.startswith("control of beta_vae: untrained, the same network").all()
    model, description = load_weights(results / "models/beta_vae_untrained/seed-0/weights.ckpt")
    assert model is not None
    torch.manual_seed(0)
    start = description.build().state_dict()
    assert all(torch.equal(start[name], tensor) for name, tensor in model.state_dict().items())
    # The scores are of other vectors than those of the trained model.
    latents = [
        np.stack(tables.read(results / f"latents/{name}/seed-0.parquet", tables.LATENTS)["z"])
        for name in ("beta_vae", "beta_vae_untrained")
    ]
    assert latents[0].shape == latents[1].shape
    assert not np.allclose(*latents)
    for figure, words in (
        ("comparison", "beta_vae_untrained (untrained)"),
        ("training", "not trained: the control of"),
    ):
        assert words in (results / "figures" / f"{figure}.svg").read_text(encoding="utf-8")


@SLOW
def test_clusters_fitted_on_training_songs_are_scored_on_the_others(
    finished: Run, tmp_path: Path
) -> None:
    copy = finished.copy(tmp_path / "copy")
    settings = """\
run: split
include: [mean_mel]
clustering: {k: [2, 3]}
split: {method: exact, validation: 0.25, test: 0.1}
evaluation: {fit_on: train, evaluate_on: validation}
"""
    (copy.folder / "split.yaml").write_text(settings, encoding="utf-8")
    copy.snakemake("--configfile", "split.yaml", "--", "results/split/tables/comparison.csv")
    results = copy.folder / "results" / "split"
    clusters = tables.read(results / "clusters" / "mean_mel" / "seed-0.parquet", tables.CLUSTERS)
    tracks = tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)
    held_out = set(tracks.loc[tracks["split"] == "validation", "track_id"])
    assert set(clusters["track_id"]) == held_out
    # Three songs could not be fitted with three clusters; eight training songs can.
    assert (clusters[clusters["level"] == "song"]["k"] == 3).any()
    table = pd.read_csv(results / "tables" / "comparison.csv")
    assert table["note"].str.contains("clusters fitted on train").all()
