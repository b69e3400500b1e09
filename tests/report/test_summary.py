"""The summary page: what it counts, what it concludes, what it warns of."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from songatlas import tables
from songatlas.errors import SongatlasError
from songatlas.report.summary import ELSEWHERE, Inputs, escape, read_inputs, summary

CORPUS = "Corpus: jamendolyrics"

CLAP = {
    "name": "clap",
    "title": "CLAP, music",
    "parameters": 194_000_000,
    "trained_on": "sounds with captions",
    "licence": "Apache-2.0",
    "citation": "Wu et al. 2023",
    "supervision": "elsewhere",
}
"""What a run says of a baseline of pretrained weights."""


def comparison(**changes: Any) -> pd.DataFrame:
    """Three representations; `changes` are columns of the best trained model, `conv_vae`."""
    rows = []
    for model, supervision, nmi in (
        ("conv_vae", "none", 0.60),
        ("mean_mel", "none", 0.40),
        ("cvae_genre", "labels", 0.80),
    ):
        for level in ("window", "song"):
            rows.append(
                {
                    "model": model,
                    "task": "genre",
                    "level": level,
                    "supervision": supervision,
                    "n": 120 if level == "window" else 30,
                    "nmi_mean": nmi,
                    "nmi_sd": 0.02,
                    "chance_nmi": 0.10,
                    "best_algorithm": "kmeans k=3",
                    "best_nmi": nmi + 0.1,
                    "best_chance_nmi": 0.25,
                    "corpus": CORPUS,
                    "note": None,
                }
            )
    frame = pd.DataFrame(rows)
    for column, value in changes.items():
        frame.loc[frame["model"] == "conv_vae", column] = value
    return frame


def with_clap(nmi: float, **changes: Any) -> pd.DataFrame:
    """The comparison, and a baseline of weights that saw other people's labels."""
    frame = comparison()
    clap = frame[frame["model"] == "mean_mel"].assign(model="clap", supervision="elsewhere")
    clap = clap.assign(nmi_mean=nmi, best_nmi=nmi + 0.1, **changes)
    return pd.concat([frame, clap], ignore_index=True)


def tracks(n: int = 30) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "track_id": [f"{i:016x}" for i in range(n)],
            "source_id": [f"s{i}" for i in range(n)],
            "audio_path": [f"{i}.wav" if i % 3 else None for i in range(n)],
            "duration_s": 40.0,
            "sample_rate_hz": 22050,
            "channels": 1,
            "lyrics": ["la la" if i % 2 else None for i in range(n)],
            "lyrics_source": ["file" if i % 2 else "none" for i in range(n)],
            "split": ["train"] * (n - 4) + ["validation"] * 2 + ["test"] * 2,
            "status": ["ok"] * n,
        }
    )


def labels(n: int = 30) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "track_id": [f"{i:016x}" for i in range(n)],
            "title": "A title",
            "artist": "An artist",
            "language": ["en" if i % 3 else "hi" for i in range(n - 1)] + [None],
            "genre": ["rock", "*pop* <b>"] * (n // 2),
            "license": None,
            "source_url": None,
        }
    )


def windows(n: int = 120) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window_id": [f"w{i}" for i in range(n)],
            "track_id": [f"{i % 20:016x}" for i in range(n)],
            "index": 0,
            "start_s": 0.0,
            "end_s": 30.0,
            "split": "train",
            "padded": [i < 2 for i in range(n)],
            "lyrics": None,
        }
    )


def problems(*reasons: str) -> pd.DataFrame:
    return pd.DataFrame(
        [("a.mp3", "probe", reason, "detail") for reason in reasons],
        columns=list(tables.REJECTS.columns),
    )


def training(model: str = "conv_vae", seed: int = 0, active: int = 100) -> dict[str, Any]:
    return {"model": model, "seed": seed, "active_units": active, "latent_dim": 128}


def page(**changes: Any) -> str:
    values: dict[str, Any] = {
        "comparison": comparison(),
        "tracks": tracks(),
        "labels": labels(),
        "windows": windows(),
        "rejects": problems("truncated", "silent", "truncated"),
        "warnings": problems("padded")[:0],
        "trainings": [training(), training("cvae_genre")],
    }
    seeds = changes.pop("seeds", [0])
    name = changes.pop("corpus_name", CORPUS)
    return summary(Inputs(**(values | changes)), run="demo", corpus_name=name, seeds=seeds)


def test_the_page_counts_what_was_run() -> None:
    text = page()
    assert "30 songs: 20 with audio, 15 with lyrics; 26 for training, 2 for validation" in text
    assert "120 windows from 20 songs, 2 of them padded." in text
    assert "Languages: en 19, hi 10, unknown 1." in text
    assert "2 trained models (seed 0): `conv_vae`, `cvae_genre`." in text
    assert "1 baseline: `mean_mel`." in text


def test_the_page_has_the_key_of_genres_that_figures_number() -> None:
    runes = ["\U00012000", "\U00012001\U00012001"]
    text = page(labels=labels().assign(genre=["rock", runes[0], runes[1], runes[1], "été"] * 6))
    key = f"`[Cuneiform] 1` is {runes[1]}, `[Cuneiform] 2` is {runes[0]}"
    assert f"Figures number the genres for which this machine has no letters: {key}." in text
    assert "Figures number" not in page()


def test_rejects_and_warnings_are_counted_by_reason() -> None:
    text = page()
    assert "Inputs set aside: 3 (truncated 2, silent 1)." in text
    assert "Inputs used with a warning: none." in text


def test_songs_that_a_later_stage_lost_are_told() -> None:
    rejects = problems("truncated", "silent")
    rejects["path"] = ["a.mp3", "b.mp3"]
    assert "later stages" not in page(rejects=rejects)
    rejects["stage"] = ["probe", "logmel"]
    text = page(rejects=rejects)
    assert "Inputs set aside: 2 (silent 1, truncated 1)." in text
    assert "Songs among them that only later stages found unusable: 1 (silent 1)." in text


def test_the_winner_is_named_with_chance_and_baseline_at_song_level() -> None:
    text = page()
    assert "`conv_vae` groups 30 songs best, NMI 0.60 ± 0.02" in text
    assert "0.50 above chance (0.10)" in text
    assert (
        "best simple baseline, `mean_mel`, reaches 0.40 ± 0.02 (0.30 above chance), 0.20 behind."
    ) in text
    assert "| Genre | trained | `conv_vae` | 30 | 0.60 ± 0.02 | 0.10 | +0.50 |" in text


def test_windows_stand_in_where_no_song_was_scored() -> None:
    frame = comparison()
    text = page(comparison=frame[frame["level"] == "window"])
    assert "groups 120 windows best" in text


def test_a_winning_baseline_is_called_one() -> None:
    text = page(comparison=comparison(nmi_mean=0.30))
    assert "`mean_mel` groups 30 songs best" in text
    assert "It is a simple baseline; no training was needed." in text
    assert "best trained model without labels, `conv_vae`, reaches 0.30" in text


def test_models_that_saw_labels_never_win() -> None:
    text = page()
    assert "Models that saw labels in training do not compete" in text
    assert "`cvae_genre` with 0.80 (0.70 above chance)." in text
    assert "| Genre | saw labels | `cvae_genre` |" in text
    frame = comparison()
    alone = page(comparison=frame[frame["supervision"] == "labels"])
    assert "no unsupervised result" in alone


def test_weights_that_saw_other_peoples_labels_win_and_say_so() -> None:
    text = page(comparison=with_clap(0.75))
    assert f"`clap`, {ELSEWHERE}, groups 30 songs best, NMI 0.75 ± 0.02; that is 0.65 above" in text
    assert "It is a baseline; nothing was trained on this corpus. The best trained model" in text
    assert "simple baseline" not in text
    # All four kinds stand in the table, each with its best.
    for kind, model in (
        ("trained", "conv_vae"),
        ("baseline", "mean_mel"),
        ("others' labels", "clap"),
        ("saw labels", "cvae_genre"),
    ):
        assert f"| Genre | {kind} | `{model}` | 30 |" in text
    assert "`clap` have weights that were trained on other people's labels" in text
    assert "other people's labels" not in page()


def test_a_rival_and_a_runner_up_are_named_as_weights_from_elsewhere() -> None:
    text = page(comparison=with_clap(0.5))
    assert "`conv_vae` groups 30 songs best" in text
    assert f"The best baseline, `clap`, {ELSEWHERE}, reaches 0.50 ± 0.02" in text
    frame = with_clap(0.5, n=20)
    baselines = frame[frame["model"].isin(["clap", "mean_mel"])]
    frame = baselines.assign(nmi_mean=baselines["model"].map({"clap": 0.5, "mean_mel": 0.6}))
    assert f"The runner-up, `clap`, {ELSEWHERE}, was scored on 20 instead" in page(comparison=frame)


def test_pretrained_weights_are_listed_with_training_data_and_licence() -> None:
    speech = CLAP | {"name": "speech", "title": "XLS-R", "supervision": "none"}
    text = page(pretrained=[CLAP, speech])
    section = text.split("## Pretrained weights in this run\n\n")[1].split("\n\n")[0]
    told = "; Wu et al. 2023): trained on sounds with captions; licence: Apache-2.0."
    assert section.splitlines() == [
        f"- `clap` (CLAP, music{told} They saw other people's labels and may have heard some of "
        "these songs.",
        f"- `speech` (XLS-R{told}",
    ]
    assert "Pretrained weights" not in page()
    only = page(pretrained=[CLAP], trainings=[])
    assert "`tables/architectures.csv`" in only
    assert "`tables/training.csv`" not in only
    assert "`tables/architectures.csv`" not in page(trainings=[])


def test_a_small_lead_is_a_tie() -> None:
    assert "within the spread: a tie" in page(comparison=comparison(nmi_mean=0.41))


def only_trained(**changes: Any) -> pd.DataFrame:
    frame = comparison(**changes)
    return frame[frame["model"] == "conv_vae"]


def test_a_score_near_chance_is_not_clearly_above_it() -> None:
    text = page(comparison=only_trained(nmi_mean=0.54, nmi_sd=0.48, chance_nmi=0.10))
    assert "not clearly above chance (0.10): the difference, 0.44, is within one standard" in text
    assert "+0.44 |" in text
    below = page(comparison=only_trained(nmi_mean=0.40, chance_nmi=0.41))
    assert "that is no better than chance (0.41)." in below


def test_the_winner_is_the_furthest_above_its_own_chance() -> None:
    # Of few songs a random grouping agrees with many classes by itself.
    text = page(comparison=comparison(nmi_mean=0.74, chance_nmi=0.45, n=8))
    assert "`mean_mel` groups 30 songs best, NMI 0.40 ± 0.02; that is 0.30 above" in text
    assert "`conv_vae`, reaches 0.74 ± 0.02 (0.29 above chance), 0.01 behind" in text
    assert "ranked by how far they are above their own chance level" in text


def test_rivals_on_other_songs_are_not_comparable() -> None:
    words = "other songs, so the two are not strictly comparable"
    assert page(comparison=comparison(n=79)).count(words) == 1
    assert words not in page()


def test_a_runner_up_on_other_songs_is_told_also_when_it_is_no_rival() -> None:
    second = only_trained(nmi_mean=0.55, n=12).assign(model="vade")
    text = page(
        comparison=pd.concat([comparison(), second]), trainings=[training(), training("vade")]
    )
    assert "The runner-up, `vade`, was scored on 12 instead: other songs" in text
    assert text.count("not strictly comparable") == 1


def test_tasks_without_a_score_and_empty_comparisons_are_told() -> None:
    numbers = ["nmi_mean", "nmi_sd", "chance_nmi", "best_nmi", "best_chance_nmi"]
    frame = comparison()
    frame[numbers] = np.nan
    assert "**Genre**: not scored" in page(comparison=frame)
    assert "Nothing was scored" in page(comparison=frame.iloc[:0])
    unknown_chance = comparison().assign(chance_nmi=np.nan, best_chance_nmi=np.nan)
    assert "chance was not estimated" in page(comparison=unknown_chance)


def test_doubts_follow_from_the_numbers() -> None:
    text = page(trainings=[training(active=12), training("cvae_genre", active=13)])
    assert "`conv_vae` (seed 0: 12 of 128 units active)" in text
    assert "`cvae_genre` (seed 0" not in text
    assert "30 songs are few" in text
    assert "Only 1 training seed" in text
    assert "`cvae_genre` saw labels in training" in text
    assert "up to 0.25 here" in text
    assert "1 of 30 songs have no language" in text
    assert "Songs that models were trained on are among those scored" in text
    assert "synthetic" not in text


def test_doubts_are_left_out_where_there_is_no_reason() -> None:
    frame = comparison(n=4)
    text = page(
        comparison=frame[frame["model"] == "conv_vae"],
        tracks=tracks(200),
        labels=labels(200).assign(language="en"),
        seeds=[0, 1, 2],
    )
    for doubt in ("are few", "Only", "Collapsed", "saw labels", "have no", "trained on are among"):
        assert doubt not in text


def test_a_best_of_many_that_luck_explains_is_told() -> None:
    text = page(comparison=comparison(best_nmi=0.2))
    assert "the best clustering of `conv_vae` is no better than the best of as many tries" in text


def test_the_synthetic_corpus_is_called_synthetic() -> None:
    assert "The corpus is synthetic" in page(corpus_name="Synthetic demo corpus")


def test_notes_of_the_table_are_passed_on_once() -> None:
    text = page(comparison=comparison(note="PCA to 128 dimensions first"))
    assert text.count("PCA to 128 dimensions first") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>x</script>", "&lt;script>x&lt;/script>"),
        ("[a](b) `c` *d*", r"\[a\](b) \`c\` \*d\*"),
        ("a | b\n# c", r"a \| b \# c"),
        ("rock & roll", "rock & roll"),
        ("R&B; a &lt;b&#62;", r"R&amp;B; a &amp;lt;b&\#62;"),
        ("> quoted", r"\> quoted"),
        ("a -> b (live) 100%!", "a -> b (live) 100%!"),
        ("- x", r"\- x"),
        ("snake_case _emphasis_", r"snake_case \_emphasis\_"),
        ("ليلة", "ليلة"),
    ],
)
def test_text_from_songs_is_literal(text: str, expected: str) -> None:
    assert escape(text) == expected


def test_genres_are_escaped_on_the_page() -> None:
    text = page()
    assert r"Genres: \*pop\* &lt;b> 15, rock 15." in text
    assert "<b>" not in text


def test_many_genres_are_cut_short() -> None:
    many = labels().assign(genre=[f"genre {i}" for i in range(30)])
    assert "18 more with 18" in page(labels=many)


def test_inputs_are_read_from_files_and_merged(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.parquet" for name in ("tracks", "labels", "windows")}
    for (name, path), frame in zip(paths.items(), (tracks(), labels(), windows()), strict=True):
        tables.write(frame, path, getattr(tables, name.upper()))
    comparison().to_csv(tmp_path / "comparison.csv", index=False)
    rejects = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path in rejects:
        tables.write(problems("silent"), path, tables.REJECTS)
    warned = tmp_path / "w.parquet"
    tables.write(problems("padded"), warned, tables.WARNINGS)
    facts = tmp_path / "summary.json"
    facts.write_text(json.dumps(training()))
    files: dict[str, Any] = {
        "comparison": tmp_path / "comparison.csv",
        **paths,
        "rejects": rejects,
        "warnings": str(warned),
    }
    inputs = read_inputs(**files, trainings=[facts], pretrained=[CLAP])
    assert inputs.pretrained == [CLAP]
    assert len(inputs.rejects) == 2
    assert len(inputs.warnings) == 1
    text = summary(inputs, run="x", corpus_name=CORPUS, seeds=[0])
    assert "silent 2" in text
    without = read_inputs(**files, trainings=[])
    assert "trained model (" not in summary(without, run="x", corpus_name=CORPUS, seeds=[0])
    facts.write_text("{}")
    with pytest.raises(SongatlasError, match=r"summary\.json: lacks model"):
        read_inputs(**files, trainings=[facts])


def test_a_song_that_two_stages_could_not_decode_counts_once(tmp_path: Path) -> None:
    reject = problems("truncated", "not_finite").assign(stage="logmel")
    twice = problems("bad_row", "bad_row").assign(path="songs.csv", stage="manifest")
    for name, frame in (
        ("corpus", twice),
        ("logmel", reject),
        ("descriptors", reject.assign(stage="descriptors")),
        ("musicnn", reject.assign(stage="musicnn")),
    ):
        tables.write(frame, tmp_path / f"{name}.parquet", tables.REJECTS)
    for name, frame in (("tracks", tracks()), ("labels", labels()), ("windows", windows())):
        tables.write(frame, tmp_path / f"{name}.parquet", getattr(tables, name.upper()))
    comparison().to_csv(tmp_path / "comparison.csv", index=False)
    inputs = read_inputs(
        comparison=tmp_path / "comparison.csv",
        **{name: tmp_path / f"{name}.parquet" for name in ("tracks", "labels", "windows")},
        rejects=[
            tmp_path / f"{name}.parquet" for name in ("corpus", "logmel", "descriptors", "musicnn")
        ],
        warnings=[],
        trainings=[],
    )
    text = summary(inputs, run="x", corpus_name=CORPUS, seeds=[0])
    assert "Inputs set aside: 4 (bad_row 2, not_finite 1, truncated 1)." in text
    assert "later stages found unusable: 1 (truncated 1)." in text


def untrained(model: str = "cvae_language", seed: int = 0) -> dict[str, Any]:
    note = "not trained: no song of this corpus has a language"
    return training(model, seed) | {"active_units": None, "note": note}


def test_models_that_were_not_trained_are_named_once_with_the_reason() -> None:
    frame = comparison(note=None)
    absent = only_trained(supervision="labels", n=0, note="no songs to cluster")
    numbers = ["nmi_mean", "nmi_sd", "chance_nmi", "best_nmi", "best_chance_nmi"]
    absent = absent.assign(model="cvae_language", **dict.fromkeys(numbers, np.nan))
    text = page(
        comparison=pd.concat([frame, absent]),
        trainings=[training() | {"note": None}, untrained(), untrained(seed=1)],
        seeds=[0, 1],
    )
    assert "Not trained: `cvae_language`: no song of this corpus has a language." in text
    assert text.count("cvae_language") == 1
    assert "1 trained model (seeds 0, 1): `conv_vae`." in text
    assert "2 baselines: `mean_mel`, `cvae_genre`." in text


def test_a_run_in_which_nothing_could_be_trained_has_a_summary() -> None:
    text = page(comparison=comparison().iloc[:0], trainings=[untrained(), untrained("vade")])
    assert "Not trained: `cvae_language`, `vade`: no song" in text
    assert "trained model (" not in text
    assert "Nothing was scored" in text


def test_the_best_of_many_is_judged_at_the_level_of_the_ranking() -> None:
    frame = comparison()
    vote = frame[frame["level"] == "song"].assign(level="song_vote", best_nmi=0.2)
    vote["best_chance_nmi"] = 0.9
    text = page(comparison=pd.concat([frame, vote]))
    assert "no better than the best of as many tries" not in text
    assert "up to 0.25 here" in text
    frame.loc[(frame["model"] == "mean_mel") & (frame["level"] == "song"), "best_nmi"] = 0.1
    text = page(comparison=pd.concat([frame, vote]))
    assert "Genre (level `song`): the best clustering of `mean_mel` is no better" in text


def test_notes_of_principal_components_are_told_per_representation() -> None:
    frame = comparison()
    notes = {"conv_vae": "PCA 13824 -> {}", "mean_mel": "PCA 155 -> 32", "cvae_genre": None}
    frame["note"] = frame["model"].map(notes)
    frame["note"] = [
        note.format(47 if level == "song" else 128) if isinstance(note, str) else None
        for note, level in zip(frame["note"], frame["level"], strict=True)
    ]
    text = page(comparison=frame)
    assert "`conv_vae`: PCA 13824 → 47 to 128." in text
    assert "`mean_mel`: PCA 155 → 32." in text


def test_notes_that_differ_in_numbers_only_are_told_once() -> None:
    table = comparison()
    table["note"] = [f"rests on {4 + i} points" for i in range(len(table))]
    text = page(comparison=table)
    assert text.count("rests on") == 1
    assert f"Every representation: rests on 4 to {3 + len(table)} points." in text


def test_the_page_says_that_it_is_a_cross_validation() -> None:
    folds = tracks().assign(split=[f"fold-{i % 3}" for i in range(30)])
    text = page(tracks=folds, seeds=[0, 1, 2])
    assert "3-fold cross-validation by song (songs with audio per fold: 0, 10, 10);" in text
    assert "for training" not in text
    text = page(tracks=folds, seeds=[0, 4])
    assert "3-fold cross-validation by song, of which `seeds` hold out 2 (" in text


def test_controls_are_named_and_do_not_compete() -> None:
    """A control that scores best is not what groups the songs best."""
    leaky = comparison(nmi_mean=0.99)
    leaky = leaky[leaky["model"] == "conv_vae"].assign(model="conv_vae_windows")
    facts = training("conv_vae_windows") | {"control": "random_windows", "control_of": "conv_vae"}
    text = page(comparison=pd.concat([comparison(), leaky]), trainings=[training(), facts])
    assert "`conv_vae` groups 30 songs best" in text
    assert (
        "1 control besides, which do not compete: `conv_vae_windows` (`conv_vae`, windows, not "
        "songs, dealt at random to the splits; see `tables/leakage.md`)." in text
    )
    assert text.count("conv_vae_windows") == 1
    assert "1 trained model (" in text


def names(*of: tuple[str, int, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [{"model": model, "songs": songs, "name": name} for model, songs, name in of]
    )


def test_the_best_representations_groups_are_told_in_one_sentence() -> None:
    best = ("mean_mel", 12, "metal, <b>rock"), ("mean_mel", 3, "unsure"), ("mean_mel", 4, "unsure")
    text = page(names=names(("other", 9, "jazz"), *best), comparison=comparison())
    assert "The groups of `mean_mel` (furthest above chance by the labels), 3 of them" in text
    assert "metal, &lt;b>rock (12), unsure (7 in 2 groups)." in text
    assert "jazz" not in text


def test_without_labels_it_says_which_representation_stands_for_the_run() -> None:
    none = comparison()[:0]
    text = page(names=names(("vade_musicnn", 9, "jazz")), comparison=none)
    assert "The groups of `vade_musicnn` (no label says which" in text
    assert "The groups of" not in page(names=names())


@pytest.mark.parametrize(
    ("nmi", "words"),
    [(0.35, "training gives 0.25:"), (0.59, "gives 0.01 (within the spread):"), (0.7, "nothing:")],
)
def test_the_untrained_control_says_what_training_gives(nmi: float, words: str) -> None:
    frame = comparison()
    control = frame[frame["model"] == "conv_vae"].assign(model="start", nmi_mean=nmi)
    facts = training("start") | {"control": "untrained", "control_of": "conv_vae"}
    text = page(comparison=pd.concat([frame, control]), trainings=[training(), facts])
    assert "`conv_vae` groups 30 songs best" in text
    assert f"{words} untrained, the same network (`start`) reaches {nmi:.2f}" in text
    assert "`start` (`conv_vae`, untrained, the same network without a training step)" in text
    assert "Of this, training" not in page(comparison=frame, trainings=[training()])


def test_every_view_of_a_model_competes_under_its_own_name() -> None:
    one = comparison().assign(view=None)
    fused = one[one["model"] == "conv_vae"].assign(model="fused")
    views = [
        fused.assign(view=view, nmi_mean=nmi)
        for view, nmi in (("sound", 0.9), ("together", 0.5), ("words", 0.2))
    ]
    text = page(
        comparison=pd.concat([one, *views], ignore_index=True),
        trainings=[training(), training("fused"), training("cvae_genre")],
    )
    assert "`fused (sound)` groups 30 songs best, NMI 0.90" in text
    assert "3 trained models (seed 0): `conv_vae`, `fused`, `cvae_genre`." in text
