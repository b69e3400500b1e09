"""Figures: what stands in them, that they are the same every time, and that nothing breaks them."""

import json
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.errors import SongatlasError
from songatlas.latents.projection import (
    PROJECTION,
    Umap,
    project,
    project_all,
    project_latents,
    read_latents,
)
from songatlas.report.figures import style
from songatlas.report.figures.comparison import (
    LOOKS,
    class_counts,
    clustered_songs,
    comparison_figure,
    intervals,
    read_comparison,
)
from songatlas.report.figures.confusion import (
    MAX_CLUSTERS,
    Best,
    best_clustering,
    best_confusions,
    confusion,
    confusion_figure,
)
from songatlas.report.figures.map import (
    ATTRIBUTES,
    classes,
    looks,
    map_figure,
    numbered_names,
    overview_figure,
    with_numbered_names,
    write_maps,
)
from songatlas.report.figures.reconstruction import (
    Window,
    first_pair,
    no_reconstruction_figure,
    reconstruction_figure,
    why_nothing,
    window_of,
)
from songatlas.report.figures.save import save
from songatlas.report.figures.style import plain
from songatlas.report.figures.training_curves import Run, read_run, training_figure

MODELS = {
    "lyrics_tfidf": (0.97, 0.10),
    "descriptors": (0.42, 0.71),
    "descriptors_unit": (0.45, 0.69),
    "mean_mel": (0.35, 0.58),
    "pca": (0.22, 0.41),
    "raw": (0.21, 0.38),
    "basic_vae": (0.18, 0.33),
    "conv_vae": (0.24, 0.47),
    "beta_vae": (0.19, 0.36),
    "cvae_language": (0.55, 0.30),
    "cvae_genre": (0.12, 0.62),
    "vade": (0.25, 0.44),
    "vade_small": (0.20, 0.40),
    "multimodal_vae": (0.66, 0.28),
    "autoencoder": (0.26, 0.45),
}
LANGUAGES = ["ar", "en", "es", "hi"]
GENRES = ["hip-hop", "pop", "rock"]
CORPUS = "Synthetic demo corpus"
TITLES = {
    "ar": "ليلة من فضة",
    "en": "Paper $Boats_1^2",
    "es": "Niña de la mañana",
    "hi": "चाँद की बात",
}


def labels_table() -> pd.DataFrame:
    rows = []
    for i in range(48):
        language, genre = LANGUAGES[i % 4], GENRES[(i // 4) % 3]
        rows.append(
            {
                "track_id": f"{i:016x}",
                "title": f"{TITLES[language]} {i}",
                "artist": f"Artist {i % 7}",
                "language": language,
                "genre": genre,
                "license": "CC0-1.0",
                "source_url": None,
            }
        )
    return pd.DataFrame(rows)


def supervision(model: str) -> str:
    return "labels" if model.startswith("cvae") else "none"


def comparison_table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for model, values in MODELS.items():
        both = (*values, 0.5 * sum(values) + 0.1)
        for task, value in zip(("language", "genre", "language_genre"), both, strict=True):
            for level, n in (("song", 48), ("window", 192)):
                chance = {"language": 0.10, "genre": 0.07, "language_genre": 0.42}[task]
                rows.append(
                    {
                        "model": model,
                        "task": task,
                        "level": level,
                        "supervision": supervision(model),
                        "n": n,
                        "nmi_mean": value,
                        "nmi_sd": float(rng.uniform(0.01, 0.06)),
                        "ari_mean": value * 0.8,
                        "ari_sd": 0.02,
                        "chance_nmi": chance,
                        "best_algorithm": "kmeans",
                        "best_nmi": min(value + float(rng.uniform(0.02, 0.12)), 1.0),
                        "best_chance_nmi": chance + 0.09,
                        "corpus": CORPUS,
                        "note": None,
                    }
                )
    return pd.DataFrame(rows)


def scores_table(model: str = "conv_vae", seeds: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(sum(map(ord, model)))
    rows = []
    for seed in range(seeds):
        for level, n in (("song", 48), ("window", 192)):
            for algorithm in ("kmeans", "agglomerative", "gmm", "dbscan", "spectral"):
                for k in (None,) if algorithm == "dbscan" else (3, 4, 5, 10, 12, 15):
                    for task, base in zip(
                        ("language", "genre", "language_genre"),
                        (*MODELS[model], 0.5 * sum(MODELS[model]) + 0.1),
                        strict=True,
                    ):
                        value = min(base + float(rng.normal(0, 0.02)), 1.0)
                        rows.append(
                            {
                                "model": model,
                                "seed": seed,
                                "split": "all",
                                "level": level,
                                "algorithm": algorithm,
                                "k": k,
                                "task": task,
                                "metric": "nmi",
                                "value": value,
                                "ci_low": value - 0.09,
                                "ci_high": min(value + 0.07, 1.0),
                                "chance": 0.1,
                                "n": n,
                                "supervision": supervision(model),
                                "note": None,
                            }
                        )
    frame = pd.DataFrame(rows)
    return frame.assign(k=frame["k"].astype("Int32"))


def clusters_table(model: str = "conv_vae") -> pd.DataFrame:
    """Clusters that follow the genre, with some noise."""
    rng = np.random.default_rng(1)
    labels = labels_table()
    truth = labels["genre"].map({name: i for i, name in enumerate(GENRES)}).to_numpy()
    rows = []
    for algorithm in ("kmeans", "agglomerative", "gmm", "dbscan", "spectral"):
        for k in (None,) if algorithm == "dbscan" else (3, 4, 5, 10, 12, 15):
            noisy = np.where(rng.random(48) < 0.25, rng.integers(0, 3, 48), truth)
            label = (noisy + 3 * rng.integers(0, max((k or 5) // 3, 1), 48)) % (k or 5)
            if k is None:
                label = np.where(rng.random(48) < 0.2, -1, label)
            for track, cluster in zip(labels["track_id"], label, strict=True):
                rows.append(("song", None, None, track, algorithm, k, int(cluster), None))
    frame = pd.DataFrame(rows, columns=list(tables.CLUSTERS.columns))
    return frame.assign(k=frame["k"].astype("Int32"))


def latents_table(model: str, n_songs: int = 48, dim: int = 16) -> pd.DataFrame:
    """Four windows a song, around a centre per genre and language."""
    rng = np.random.default_rng(sum(map(ord, model)))
    labels = labels_table().iloc[:n_songs]
    language, genre = MODELS[model]
    centres = {name: rng.normal(0, 1, dim) for name in (*LANGUAGES, *GENRES, *labels["track_id"])}
    windows, tracks, z = [], [], []
    for _, row in labels.iterrows():
        for w in range(4):
            windows.append(f"{row['track_id']}-{w:03d}")
            tracks.append(row["track_id"])
            z.append(
                4 * language * centres[row["language"]]
                + 4 * genre * centres[row["genre"]]
                + centres[row["track_id"]]
                + rng.normal(0, 0.6, dim)
            )
    values = np.asarray(z).reshape(len(z), dim)
    of_window = tables.latents_frame("window", windows, tracks, ["train"] * len(z), values)
    songs = values.reshape(-1, 4, dim).mean(axis=1)
    of_song = tables.latents_frame(
        "song", None, list(labels["track_id"]), ["train"] * len(songs), songs
    )
    return pd.concat([of_window, of_song], ignore_index=True)


def history_table(epochs: int = 30, kl: bool = True) -> pd.DataFrame:
    rng = np.random.default_rng(epochs)
    rows = []
    for epoch in range(epochs):
        down = 9000 * np.exp(-epoch / 8) - 14000
        rows += [
            (epoch, "loss", "train", down + rng.normal(0, 60)),
            (epoch, "loss", "validation", down + 500 + 20 * max(epoch - 18, 0) ** 1.4),
        ]
        if kl:
            rows += [
                (epoch, "kl", "train", 60 / (1 + np.exp(-(epoch - 6) / 3))),
                (epoch, "kl", "validation", 55 / (1 + np.exp(-(epoch - 6) / 3))),
            ]
    columns = ["epoch", "metric", "split", "value"]
    return pd.DataFrame(rows, columns=columns).assign(unit=None)


def spectrogram_pair(n_mels: int = 128, n_frames: int = 1292) -> np.ndarray:
    rng = np.random.default_rng(3)
    time, band = np.arange(n_frames), np.arange(n_mels)[:, None]
    image = np.sin(time / 40) + np.cos(band / 6 + 3 * np.sin(time / 150)) - band / 60
    image = image + 0.5 * rng.normal(size=(n_mels, n_frames)) + 1.5 * ((time % 54) < 4)
    image = (image - image.mean()) / image.std()
    smooth = np.apply_along_axis(lambda r: np.convolve(r, np.ones(60) / 60, "same"), 1, image)
    return np.stack([image, smooth]).astype(np.float32)


# --- what is written ------------------------------------------------------------------------------


def small_comparison_figure(corpus_name: str = CORPUS) -> Figure:
    nothing = intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), [])
    return comparison_figure(comparison_table(), nothing, corpus_name=corpus_name)


def texts(figure: Figure) -> list[str]:
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def says(figure: Figure, words: str) -> bool:
    return any(words in text for text in texts(figure))


def written(figure: Figure, folder: Path, name: str = "figure") -> tuple[bytes, bytes]:
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    save(figure, svg, png, dpi=60, title="A title & more", description=CORPUS)
    return svg.read_bytes(), png.read_bytes()


def test_the_same_frame_gives_the_same_bytes(tmp_path: Path) -> None:
    first = written(small_comparison_figure(), tmp_path, "first")
    second = written(small_comparison_figure(), tmp_path, "second")
    assert first == second


def test_svg_is_well_formed_undated_and_titled(tmp_path: Path) -> None:
    svg, _ = written(small_comparison_figure(), tmp_path)
    root = ElementTree.fromstring(svg)
    dc = "{http://purl.org/dc/elements/1.1/}"
    assert root.find(f".//{dc}date") is None
    assert root.find(f".//{dc}title").text == "A title & more"


def test_both_copies_name_the_provenance_card(tmp_path: Path) -> None:
    svg, png = tmp_path / "a.svg", tmp_path / "a.png"
    card = "results/small/provenance.json"
    save(small_comparison_figure(), svg, png, dpi=60, title="A", card=card)
    source = ElementTree.parse(svg).find(".//{http://purl.org/dc/elements/1.1/}source")
    assert source is not None
    assert source.text == card
    with Image.open(png) as image:
        assert image.info["Source"] == card
    without, _ = written(small_comparison_figure(), tmp_path)
    assert b"dc:source" not in without


def test_nothing_stays_behind_when_saving_fails(tmp_path: Path) -> None:
    figure = small_comparison_figure()
    figure.axes[0].set_title("$unbalanced_{ $")
    with pytest.raises(ValueError, match="unbalanced"):
        written(figure, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["$x_1$", "a_b^c", "\\frac{1}{2} \\$", "50% $ of $", "<b>&amp;</b>"]
)
def test_text_is_never_read_as_mathematics(text: str, tmp_path: Path) -> None:
    figure = Figure()
    drawn = figure.text(0, 0, plain(text))
    assert drawn._preprocess_math(drawn.get_text())[1] is False
    assert drawn._preprocess_math(drawn.get_text())[0] == text
    ElementTree.fromstring(written(figure, tmp_path)[0])


def test_text_without_glyphs_names_its_script_and_warns_of_nothing(tmp_path: Path) -> None:
    cuneiform = "\U00012000\U00012001"
    assert plain(f"{cuneiform} {cuneiform} mix") == "[Cuneiform] mix"
    figure = Figure()
    figure.text(0, 0, plain("ليلة من فضة — चाँद की बात — 夜 — 🎵"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written(figure, tmp_path)


def test_control_characters_and_length_are_kept_in_bounds() -> None:
    assert plain("a\u202eb\n\tc\x00d") == "ab cd"
    assert len(plain("x" * 500)) == 60
    assert plain("ليلة") == "ليلة"


def test_every_figure_names_the_corpus() -> None:
    pair = (map_points("raw"), map_metadata("raw"))
    for figure in (
        small_comparison_figure(),
        confusion_figure("raw", {"genre": None}, corpus_name=CORPUS),
        training_figure([training_run()], corpus_name=CORPUS),
        reconstruction(),
        map_figure(*pair, attribute="genre", corpus_name=CORPUS),
        overview_figure([pair], attribute="language", corpus_name=CORPUS),
    ):
        assert CORPUS in " ".join(texts(figure))


def inside(figure: Figure) -> bool:
    """Whether neither text nor legend nor axes are cut off by the edge of the figure."""
    with style.context():
        figure.draw_without_rendering()
        width, height = figure.bbox.width, figure.bbox.height
        boxes = [item.get_window_extent() for item in (*figure.texts, *figure.legends)]
        boxes += [ax.get_tightbbox() for ax in figure.axes]
    return all(
        box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
        for box in boxes
    )


def test_nothing_is_cut_off() -> None:
    long = "multimodal_contrastive_encoder"
    frame = comparison_table().replace({"model": {"conv_vae": long}})
    nothing = intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), [])
    pair = (map_points("raw"), map_metadata("raw"))
    runs = [training_run(model) for model in list(MODELS)[:5]]
    for figure in (
        comparison_figure(frame, nothing, corpus_name=CORPUS),
        comparison_figure(frame[frame["task"] == "genre"], nothing, corpus_name="Corpus: x"),
        confusion_figure("raw", best_tables(), corpus_name=CORPUS),
        training_figure(runs, corpus_name=CORPUS),
        reconstruction(),
        map_figure(*pair, attribute="genre", corpus_name=CORPUS),
        overview_figure([pair] * 7, attribute="language", corpus_name=CORPUS),
    ):
        assert inside(figure)


# --- comparison -----------------------------------------------------------------------------------

CLASS_COLUMNS = ["model", "task", "level", "classes"]


def test_class_counts_are_of_the_songs_that_were_clustered(tmp_path: Path) -> None:
    path = tmp_path / "clusters.parquet"
    clusters = clusters_table()
    some = clusters[clusters["track_id"].isin(labels_table()["track_id"][:2])]
    tables.write(some, path, tables.CLUSTERS, {"model": "conv_vae"})
    counts = class_counts(clustered_songs([path]), labels_table(), ["language", "genre"])
    assert counts.values.tolist() == [
        ["conv_vae", "language", "song", 2],
        ["conv_vae", "genre", "song", 1],
    ]


def test_each_view_of_a_model_is_a_row_of_the_figure(tmp_path: Path) -> None:
    both = [clusters_table().assign(view=view) for view in ("sound", "words")]
    both[1] = both[1][both[1]["track_id"].isin(labels_table()["track_id"][:2])]
    tables.write(pd.concat(both), tmp_path / "c.parquet", tables.CLUSTERS, {"model": "fused"})
    counts = class_counts(clustered_songs([tmp_path / "c.parquet"]), labels_table(), ["language"])
    found = counts.set_index("model")["classes"].to_dict()
    assert found == {"fused (sound)": len(LANGUAGES), "fused (words)": 2}


def test_interval_is_the_mean_of_bounds_at_k_equal_to_classes() -> None:
    scores = scores_table()
    classes = pd.DataFrame([("conv_vae", "genre", "song", 3)], columns=CLASS_COLUMNS)
    rows = scores[
        (scores["task"] == "genre")
        & (scores["level"] == "song")
        & (scores["k"] == 3)
        & scores["algorithm"].isin(["kmeans", "gmm"])
    ]
    [found] = intervals(scores, classes, ["kmeans", "gmm"]).to_dict("records")
    assert found["low"] == pytest.approx(rows["ci_low"].mean())
    assert found["high"] == pytest.approx(rows["ci_high"].mean())


def test_several_seeds_are_shown_by_their_spread() -> None:
    classes = pd.DataFrame([("conv_vae", "genre", "song", 3)], columns=CLASS_COLUMNS)
    assert intervals(scores_table(seeds=2), classes, ["kmeans"]).empty
    assert says(small_comparison_figure(), "one standard deviation over seeds")
    folds = comparison_table().assign(note="cross-validation: sd over 5 folds")
    nothing = intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), [])
    figure = comparison_figure(folds, nothing, corpus_name=CORPUS)
    assert says(figure, "one standard deviation over folds")


def test_each_panel_is_sorted_by_its_own_values() -> None:
    figure = small_comparison_figure()
    figure.draw_without_rendering()
    for ax, task in zip(figure.axes, ("language", "genre", "language_genre"), strict=True):
        frame = comparison_table()
        frame = frame[(frame["task"] == task) & (frame["level"] == "song")]
        expected = frame.sort_values("nmi_mean")["model"].tolist()
        shown = [label.get_text().split(" ")[0] for label in ax.get_yticklabels()]
        assert shown == expected


def test_supervised_models_differ_in_shape_and_word() -> None:
    figure = small_comparison_figure()
    assert says(figure, "cvae_genre (labels)")
    assert not says(figure, "vade (labels)")
    squares = [line for line in figure.axes[0].lines if line.get_marker() == "s"]
    assert len(squares) == 2


def test_weights_that_saw_other_peoples_labels_differ_in_shape_colour_and_word() -> None:
    frame = comparison_table()
    frame.loc[frame["model"] == "raw", "supervision"] = "elsewhere"
    nothing = intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), [])
    figure = comparison_figure(frame, nothing, corpus_name=CORPUS)
    assert says(figure, "raw (others' labels)")
    assert says(figure, "weights trained on other people's labels")
    assert not says(small_comparison_figure(), "other people's labels")
    [cross] = [line for line in figure.axes[0].lines if line.get_marker() == "P"]
    assert cross.get_color() == style.PURPLE
    assert len({look["marker"] for look in LOOKS.values()}) == len(LOOKS)
    assert len({look["color"] for look in LOOKS.values()}) == len(LOOKS)


@pytest.mark.parametrize(
    ("whose", "said"),
    [("none", "raw —"), ("elsewhere", "raw (others' labels)"), ("labels", "raw (saw labels)")],
)
def test_titles_of_map_and_confusion_say_whose_labels_a_model_saw(whose: str, said: str) -> None:
    info = map_metadata("raw", supervision=whose)
    figure = map_figure(map_points("raw"), info, attribute="genre", corpus_name=CORPUS)
    assert says(figure, said.removesuffix(" —"))
    assert says(figure, "labels)") is (whose != "none")
    best = Best("song", "kmeans", 3, 0.5, 1, None, whose)
    labels = dict.fromkeys(labels_table()["track_id"], "a")
    table = confusion(clusters_of([0, 0]), labels, best)
    drawn = confusion_figure("raw", {"language": None, "genre": (best, table)}, corpus_name=CORPUS)
    assert says(drawn, said.removesuffix(" —") + ": clusters")


def test_chance_and_best_of_many_are_drawn_for_every_model() -> None:
    ax = small_comparison_figure().axes[0]
    hollow = [line for line in ax.lines if line.get_marker() == "D"]
    assert len(hollow) == len(MODELS)
    at = [float(x) for c in ax.collections for segment in c.get_segments() for x in segment[:, 0]]
    assert at.count(0.10) >= 2 * len(MODELS)
    assert sum(abs(x - 0.19) < 1e-9 for x in at) >= 2 * len(MODELS)


def test_window_level_is_drawn_where_songs_were_not_scored() -> None:
    frame = comparison_table()
    figure = comparison_figure(
        frame[frame["level"] == "window"],
        intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), []),
        corpus_name=CORPUS,
    )
    assert says(figure, "192 windows")


def test_models_without_a_score_are_named_and_unequal_n_is_shown() -> None:
    frame = comparison_table()
    numbers = ["nmi_mean", "nmi_sd", "chance_nmi", "best_nmi", "best_chance_nmi"]
    frame.loc[frame["model"] == "raw", numbers] = np.nan
    frame.loc[frame["model"] == "raw", "n"] = 0
    frame.loc[frame["model"] == "lyrics_tfidf", "n"] = 79
    frame.loc[frame["task"] == "genre", numbers] = np.nan
    nothing = intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), [])
    figure = comparison_figure(frame, nothing, corpus_name=CORPUS)
    assert says(figure, "lyrics_tfidf n=79")
    assert "raw" in texts(figure)
    assert "not scored" in texts(figure)
    assert says(figure, "not scored: too few songs")


def test_comparison_without_chance_is_drawn(tmp_path: Path) -> None:
    frame = comparison_table().assign(chance_nmi=np.nan, best_chance_nmi=np.nan)
    nothing = intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), [])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written(comparison_figure(frame, nothing, corpus_name=CORPUS), tmp_path)


def test_an_empty_comparison_says_what_to_check() -> None:
    frame = comparison_table().iloc[:0]
    nothing = intervals(scores_table(), pd.DataFrame(columns=CLASS_COLUMNS), [])
    with pytest.raises(SongatlasError, match="no rows"):
        comparison_figure(frame, nothing, corpus_name=CORPUS)


def test_the_word_none_survives_the_csv(tmp_path: Path) -> None:
    path = tmp_path / "comparison.csv"
    comparison_table().to_csv(path, index=False)
    frame = read_comparison(path)
    assert set(frame["supervision"]) == {"none", "labels"}
    assert frame["note"].isna().all()


# --- maps -----------------------------------------------------------------------------------------


def map_metadata(model: str, **changes: object) -> dict[str, object]:
    return {
        "model": model,
        "supervision": supervision(model),
        "method": "UMAP",
        "n_neighbors": 15,
        "points": 192,
        "of": 192,
        "trustworthiness": {"5": 0.951, "15": 0.93, "30": 0.9},
        "continuity": {"5": 0.98, "15": 0.97, "30": 0.96},
        **changes,
    }


def map_points(model: str) -> pd.DataFrame:
    latents = latents_table(model)
    latents = latents[latents["level"] == "window"].reset_index(drop=True)
    z = np.stack(list(latents["z"]))
    labels = labels_table()
    language, genre = (
        dict(zip(labels["track_id"], classes(labels[column]), strict=True))
        for column in ("language", "genre")
    )
    return pd.DataFrame(
        {
            "model": model,
            "level": "window",
            "window_id": latents["window_id"],
            "track_id": latents["track_id"],
            "x": z[:, 0],
            "y": z[:, 1],
            "language": pd.Categorical(latents["track_id"].map(language), LANGUAGES),
            "genre": pd.Categorical(latents["track_id"].map(genre), GENRES),
        }
    )


def test_a_class_looks_the_same_where_it_is_rarer_or_others_are_absent() -> None:
    points = map_points("raw")
    some = points[points["genre"] != "hip-hop"]
    colours = []
    for frame in (points, some):
        figure = map_figure(frame, map_metadata("raw"), attribute="genre", corpus_name=CORPUS)
        [legend] = figure.legends
        colours.append(
            {
                text.get_text().split(" ")[0]: handle.get_color()
                for text, handle in zip(legend.texts, legend.legend_handles, strict=True)
            }
        )
    assert set(colours[1]) == {"pop", "rock"}
    assert colours[1].items() <= colours[0].items()


def test_missing_labels_are_grey_and_called_unknown() -> None:
    named = classes(pd.Series(["en", None, "hi", "en"]))
    assert list(named.cat.categories) == ["en", "hi", "unknown"]
    assert looks(list(named.cat.categories))["unknown"][0] == style.PALE


def test_beyond_eight_classes_the_rest_is_other() -> None:
    values = pd.Series([letter for i, letter in enumerate("abcdefghij") for _ in range(20 - i)])
    named = classes(values)
    assert list(named.cat.categories) == [*"abcdefg", "other"]
    assert (named == "other").sum() == 13 + 12 + 11
    assert list(classes(values[values < "i"]).cat.categories) == list("abcdefgh")


def test_every_class_has_its_own_colour_and_shape() -> None:
    look = looks([*"abcdefgh", "unknown"])
    assert len({colour for colour, _ in look.values()}) == 9
    assert len({marker for _, marker in look.values()}) == 9


@pytest.mark.parametrize("attribute", ["language", "genre"])
def test_map_says_how_many_points_of_each_class_it_has(attribute: str) -> None:
    figure = map_figure(
        map_points("cvae_genre"),
        map_metadata("cvae_genre"),
        attribute=attribute,
        corpus_name=CORPUS,
    )
    assert says(figure, "cvae_genre (saw labels)")
    assert says(figure, {"language": "ar (48)", "genre": "rock (64)"}[attribute])
    assert says(figure, "UMAP (15 neighbours) of 192 windows")


def test_every_map_says_how_faithful_it_is() -> None:
    pair = (map_points("raw"), map_metadata("raw"))
    figure = map_figure(*pair, attribute="genre", corpus_name=CORPUS)
    words = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "Trustworthiness 0.95, 0.93, 0.90 and continuity 0.98, 0.97, 0.96" in words
    assert "(5, 15, 30 neighbours)" in words
    assert says(overview_figure([pair], attribute="genre", corpus_name=CORPUS), "T 0.93, C 0.97")


def test_map_of_few_vectors_says_that_it_is_pca() -> None:
    figure = map_figure(
        map_points("raw").iloc[:3],
        map_metadata("raw", method="PCA", n_neighbors=None, points=3, of=3),
        attribute="genre",
        corpus_name=CORPUS,
    )
    assert says(figure, "First two principal components")
    assert says(figure, "Principal component 1")


def test_map_without_vectors_says_so() -> None:
    empty = map_points("raw").iloc[:0]
    metadata = map_metadata("raw", method="none", points=0, of=0, trustworthiness={}, continuity={})
    figure = map_figure(empty, metadata, attribute="genre", corpus_name=CORPUS)
    assert says(figure, "no vectors")
    grid = overview_figure(
        [(empty, metadata), (map_points("pca"), map_metadata("pca"))],
        attribute="genre",
        corpus_name=CORPUS,
    )
    assert says(grid, "no vectors")


def test_sampled_maps_say_of_how_many() -> None:
    figure = map_figure(
        map_points("raw"), map_metadata("raw", of=9000), attribute="genre", corpus_name=CORPUS
    )
    assert says(figure, "A sample of 192 of 9,000 windows")


def test_all_maps_are_written_in_order(tmp_path: Path) -> None:
    models = ["raw", "pca"]
    points = pd.concat([map_points(model) for model in models]).drop(columns=["language", "genre"])
    names = [f"{name}-{attribute}" for name in (*models, "overview") for attribute in ATTRIBUTES]
    write_maps(
        points,
        {model: map_metadata(model) for model in models},
        labels_table(),
        [tmp_path / f"{name}.svg" for name in names],
        [tmp_path / f"{name}.png" for name in names],
        dpi=50,
        corpus_name=CORPUS,
        card="results/small/provenance.json",
    )
    assert all(b"results/small/provenance.json" in path.read_bytes() for path in tmp_path.iterdir())
    assert b"pca by genre" in (tmp_path / "pca-genre.svg").read_bytes()
    assert b"All representations by language" in (tmp_path / "overview-language.svg").read_bytes()
    assert len(list(tmp_path.iterdir())) == 12


def test_genres_without_letters_are_numbered_alike_in_every_figure() -> None:
    runes = ["\U00012000" * n for n in range(1, 4)]
    labels = labels_table()
    genres = [runes[2], runes[0], f"mix {runes[1]} pop", "Pop"]
    names = ["[Cuneiform] 1", "[Cuneiform] 2", "mix [Cuneiform 1", "Pop"]
    labels["genre"] = np.repeat(genres, [20, 15, 3, 10])
    shown = with_numbered_names(labels)["genre"]
    assert shown.tolist() == np.repeat(names, [20, 15, 3, 10]).tolist()
    assert [plain(name, 18) for name in names] == names
    assert numbered_names(labels["genre"]) == dict(zip(genres[:3], names[:3], strict=True))


# --- projection -----------------------------------------------------------------------------------


@pytest.fixture
def latents_file(tmp_path: Path) -> Path:
    path = tmp_path / "latents.parquet"
    tables.write(
        latents_table("raw"), path, tables.LATENTS, {"model": "raw", "supervision": "none"}
    )
    return path


@pytest.mark.parametrize(("n", "method"), [(0, "none"), (1, "PCA"), (4, "PCA")])
def test_too_few_vectors_are_not_given_to_umap(n: int, method: str) -> None:
    z = np.random.default_rng(0).normal(size=(n, 6)).astype(np.float32)
    found = project(z, Umap(), 0)
    assert found.method == method
    assert found.points.shape == (n, 2)
    assert np.isfinite(found.points).all()


@pytest.mark.parametrize("n", [5, 6, 9, 16, 40])
def test_neighbours_are_fewer_than_vectors_and_the_map_is_reproducible(n: int) -> None:
    z = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        found, again = project(z, Umap(), 7), project(z, Umap(), 7)
    assert found.method == "UMAP"
    assert found.n_neighbors == min(15, n - 1)
    assert np.isfinite(found.points).all()
    assert np.array_equal(found.points, again.points)


@pytest.mark.parametrize("value", [0.0, 3.5, 1e30])
def test_collapsed_latents_fall_back_to_pca(value: float) -> None:
    found = project(np.full((30, 8), value, np.float32), Umap(), 0)
    assert found.method == "PCA"
    assert np.isfinite(found.points).all()


@pytest.mark.parametrize("shape", [(12, 1), (12, 400)])
def test_narrow_and_wide_latents_are_projected(shape: tuple[int, int]) -> None:
    z = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    found = project(z, Umap(), 0)
    assert found.points.shape == (12, 2)
    assert np.isfinite(found.points).all()


def test_latents_that_are_not_finite_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "latents.parquet"
    frame = latents_table("raw", 4)
    frame.at[0, "z"] = np.full(16, np.nan, np.float32)
    tables.write(frame, path, tables.LATENTS, {"model": "raw", "supervision": "none"})
    with pytest.raises(SongatlasError, match=r"latents\.parquet.*NaN"):
        project_latents(path, "window", Umap(), 0)


def test_windows_are_preferred_and_songs_stand_in(latents_file: Path, tmp_path: Path) -> None:
    rows, z, of = read_latents(latents_file)
    assert (len(rows), z.shape, of) == (192, (192, 16), 192)
    frame = latents_table("raw")
    songs = tmp_path / "songs.parquet"
    tables.write(frame[frame["level"] == "song"], songs, tables.LATENTS, {"model": "raw"})
    rows, z, of = read_latents(songs)
    assert (set(rows["level"]), z.shape) == ({"song"}, (48, 16))


def test_large_latents_are_sampled_row_by_row(latents_file: Path) -> None:
    rows, z, of = read_latents(latents_file, limit=50, seed=3)
    assert (len(rows), of) == (50, 192)
    frame = latents_table("raw").set_index("window_id")
    for window_id, vector in zip(rows["window_id"], z, strict=True):
        assert np.array_equal(vector, np.asarray(frame.loc[window_id, "z"], np.float32))


def test_projection_table_holds_every_model(latents_file: Path, tmp_path: Path) -> None:
    points, metadata = project_all({"raw": latents_file}, preferred="window", method=Umap(), seed=0)
    out = tmp_path / "projections.parquet"
    tables.write(points, out, PROJECTION, {"models": metadata})
    assert len(tables.read(out, PROJECTION)) == 192
    assert tables.read_metadata(out)["models"]["raw"]["method"] == "UMAP"
    with pytest.raises(SongatlasError, match="expected `pca`"):
        project_all({"pca": latents_file}, preferred="window", method=Umap(), seed=0)


@pytest.mark.parametrize("others", [(), ("raw",)])
def test_models_without_latents_have_maps_that_say_so(
    others: tuple[str, ...], latents_file: Path, tmp_path: Path
) -> None:
    nothing = tmp_path / "nothing.parquet"
    info = {"model": "cvae", "supervision": "labels", "z_dim": 0, "note": "not trained: no label"}
    tables.write(tables.empty(tables.LATENTS), nothing, tables.LATENTS, info)
    files = {"cvae": nothing} | dict.fromkeys(others, latents_file)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        points, metadata = project_all(files, preferred="window", method=Umap(), seed=0)
        out = tmp_path / "projections.parquet"
        tables.write(points, out, PROJECTION, {"models": metadata})
        assert metadata["cvae"]["method"] == "none"
        assert metadata["cvae"]["continuity"] == {}
        names = [f"{name}-{attribute}" for name in (*files, "all") for attribute in ATTRIBUTES]
        write_maps(
            points,
            metadata,
            labels_table(),
            [tmp_path / f"{name}.svg" for name in names],
            [tmp_path / f"{name}.png" for name in names],
            dpi=50,
            corpus_name=CORPUS,
        )
    assert len(list(tmp_path.glob("*.svg"))) == len(names)


# --- confusion ------------------------------------------------------------------------------------


def best_tables() -> dict[str, tuple[Best, pd.DataFrame] | None]:
    return best_confusions(
        clusters_table(),
        scores_table(),
        labels_table(),
        compared_scores(),
        tasks=("language", "genre"),
    )


def compared_scores(scores: pd.DataFrame | None = None) -> pd.DataFrame:
    """The comparison's columns about the best, of `scores`."""
    scores = scores_table() if scores is None else scores
    best = scores.groupby(["model", "task", "level"], as_index=False)["value"].max()
    return best.rename(columns={"value": "best_nmi"}).assign(best_chance_nmi=0.31)


def test_the_best_clustering_has_the_highest_nmi_at_song_level() -> None:
    scores, compared = scores_table(), compared_scores()
    best = best_clustering(scores, compared, "genre")
    songs = scores[(scores["task"] == "genre") & (scores["level"] == "song")]
    assert best is not None
    assert best.nmi == songs["value"].max()
    assert best.tried == len(songs)
    windows = best_clustering(scores[scores["level"] == "window"], compared, "genre")
    assert windows is not None
    assert windows.level == "window"
    assert best_clustering(scores.assign(value=np.nan), compared, "genre") is None
    assert best_clustering(scores, compared, "artist") is None
    assert best_clustering(tables.empty(tables.SCORES), compared, "genre") is None
    with pytest.raises(SongatlasError, match="no best NMI of `conv_vae` for genre"):
        best_clustering(scores, compared[compared["model"] == "pca"], "genre")


def test_confusion_and_comparison_name_the_same_best_among_ties() -> None:
    from songatlas.config.clustering import Clustering
    from songatlas.config.evaluation import Evaluation
    from songatlas.evaluation.comparison import Run as Compared
    from songatlas.evaluation.comparison import compare

    songs = labels_table()["track_id"]
    truth = labels_table()["genre"].map({name: i for i, name in enumerate(GENRES)})
    rows = [
        ("song", None, None, track, algorithm, 3, label, None)
        for algorithm in ("spectral", "agglomerative", "kmeans")
        for track, label in zip(songs, truth, strict=True)
    ]
    clusters = pd.DataFrame(rows, columns=list(tables.CLUSTERS.columns))
    scores = scores_table()
    scores = scores[(scores["level"] == "song") & (scores["task"] == "genre")].iloc[::-1]
    scores = scores.assign(view=None)
    tie = scores.assign(value=np.where(scores["algorithm"] == "dbscan", 1.0 - 1e-15, 1.0))
    tie.loc[tie["k"].isin([4, 5]) & (tie["algorithm"] == "kmeans"), "value"] = 0.9
    frame = compare(
        {"conv_vae": [Compared(tie, clusters)]},
        labels_table(),
        clustering=Clustering(levels=["song"]),
        evaluation=Evaluation(tasks=["genre"], permutations=5),
        corpus_name=CORPUS,
    )
    best = best_clustering(tie, frame, "genre")
    assert best is not None
    assert frame["best_algorithm"].item() == f"{best.algorithm} k={best.k}" == "kmeans k=3"
    assert best.chance_nmi == frame["best_chance_nmi"].item()


def clusters_of(label: list[int], algorithm: str = "kmeans", k: int | None = 3) -> pd.DataFrame:
    tracks = labels_table()["track_id"][: len(label)]
    frame = pd.DataFrame(
        [
            ("song", None, None, t, algorithm, k, c, None)
            for t, c in zip(tracks, label, strict=True)
        ],
        columns=list(tables.CLUSTERS.columns),
    )
    return frame.assign(k=frame["k"].astype("Int32"))


def test_clusters_stand_in_the_order_of_the_classes_they_match() -> None:
    tracks = labels_table()["track_id"][:6]
    labels = dict(zip(tracks, ["a", "a", "b", "b", "c", "c"], strict=True))
    best = Best("song", "kmeans", 4, 1.0, 5, 0.1, "none")
    table = confusion(clusters_of([3, 3, 0, 0, 1, 2], k=4), labels, best)
    assert list(table.columns) == ["3", "0", "1", "2"]
    assert table.to_numpy().tolist() == [[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 1, 1]]


def test_noise_is_no_cluster_and_small_clusters_are_summed() -> None:
    tracks = labels_table()["track_id"][:40]
    labels = dict.fromkeys(tracks, "a")
    labels.pop(tracks.iloc[0])
    best = Best("song", "dbscan", None, 0.5, 1, None, "none")
    label = [i // 2 for i in range(38)] + [-1, -1]
    table = confusion(clusters_of(label, "dbscan", None), labels, best)
    assert table.shape[1] == MAX_CLUSTERS + 2
    assert list(table.columns[-2:]) == ["rest", "noise"]
    assert table["noise"].tolist() == [2]
    assert int(table.to_numpy().sum()) == 39


def test_confusion_of_noise_alone_is_drawn(tmp_path: Path) -> None:
    best = Best("song", "dbscan", None, 0.0, 1, None, "none")
    labels = dict.fromkeys(labels_table()["track_id"], "a")
    table = confusion(clusters_of([-1, -1], "dbscan", None), labels, best)
    figure = confusion_figure("raw", {"genre": (best, table)}, corpus_name=CORPUS)
    assert says(figure, "noise")
    assert says(figure, "by chance: not estimated")
    written(figure, tmp_path)


def test_confusion_names_algorithm_k_nmi_and_the_chance_of_a_best_of_many() -> None:
    tables_by_task = best_tables()
    figure = confusion_figure("conv_vae", tables_by_task, corpus_name=CORPUS)
    for entry in tables_by_task.values():
        assert entry is not None
        assert says(figure, f"k = {entry[0].k}")
        assert says(figure, f"NMI {entry[0].nmi:.2f}, best of 25 tried")
        assert says(figure, "best of as many by chance: 0.31")


def test_unscored_tasks_leave_words_in_their_panel() -> None:
    figure = confusion_figure("raw", {"language": None, "genre": None}, corpus_name=CORPUS)
    assert says(figure, "not scored")


# --- training and reconstruction ------------------------------------------------------------------


def training_summary(model: str = "conv_vae", **changes: object) -> dict[str, object]:
    return {
        "model": model,
        "seed": 0,
        "best_epoch": 17,
        "monitor": "validation",
        "stopped_early": True,
        "active_units": 9,
        "reconstruction": 0.4,
        "latent_dim": 128,
        "loss_scale": "elbo",
        **changes,
    }


def training_run(model: str = "conv_vae", **changes: object) -> Run:
    return Run(model, 0, history_table(), training_summary(model, **changes))


def test_training_figure_marks_the_kept_epoch_early_stop_and_active_units() -> None:
    figure = training_figure([training_run()], corpus_name=CORPUS)
    assert says(figure, "epoch 17 kept, 9 of 128 units active")
    [dot] = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    history = history_table()
    at = history[
        (history["metric"] == "loss")
        & (history["split"] == "validation")
        & (history["epoch"] == 17)
    ]
    assert dot.get_xydata().tolist() == [[17.0, at["value"].iloc[0]]]
    stopped = training_figure([training_run(stopped_early=False)], corpus_name=CORPUS)
    assert len(figure.axes[0].lines) == len(stopped.axes[0].lines) + 1


def test_a_model_without_posterior_and_decoder_names_no_units() -> None:
    run = training_run("contrastive_audio", active_units=None, reconstruction=None)
    figure = training_figure([run], corpus_name=CORPUS)
    assert says(figure, "epoch 17 kept")
    assert not says(figure, "units active")
    assert figure.axes[0].get_ylabel() == "Loss"


def test_training_without_validation_or_kl_is_drawn(tmp_path: Path) -> None:
    history = history_table(kl=False)
    run = Run(
        "autoencoder",
        0,
        history[history["split"] == "train"],
        training_summary("autoencoder", monitor="train", loss_scale="paper"),
    )
    figure = training_figure([run], corpus_name=CORPUS)
    assert says(figure, "no KL term")
    assert not says(figure, "nats per value")
    written(figure, tmp_path)


def test_other_metrics_and_values_of_single_units_are_not_drawn() -> None:
    history = history_table()
    more = pd.DataFrame(
        {
            "epoch": [0, 0, 0], "metric": ["kl_per_unit", "kl_per_unit", "reconstruction_db"],
            "split": "validation", "unit": [0, 1, None], "value": [900.0, 950.0, 7.0],
        }
    )  # fmt: skip
    run = Run("a", 0, pd.concat([history, more]), training_summary("a"))
    plain = training_figure([training_run("a")], corpus_name=CORPUS)
    figure = training_figure([run], corpus_name=CORPUS)
    for ax, other in zip(figure.axes, plain.axes, strict=True):
        lines, others = ([line.get_xydata().tolist() for line in a.lines] for a in (ax, other))
        assert lines == others


def test_one_epoch_of_training_is_drawn(tmp_path: Path) -> None:
    run = Run("a", 0, history_table(epochs=1), training_summary("a", best_epoch=0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        written(training_figure([run], corpus_name=CORPUS), tmp_path)


def untrained_run(model: str = "cvae_language") -> Run:
    changes = {"best_epoch": None, "active_units": None, "stopped_early": False}
    note = "not trained: no song of this corpus has a language"
    facts = training_summary(model, monitor="train", note=note, **changes)
    return Run(model, 0, tables.empty(tables.HISTORY), facts)


@pytest.mark.parametrize("position", [0, 1, 3])
def test_a_model_that_was_not_trained_has_words_in_its_panel(position: int, tmp_path: Path) -> None:
    runs = [training_run(model) for model in ("conv_vae", "vade", "pca")]
    runs.insert(position, untrained_run())
    figure = training_figure(runs, corpus_name=CORPUS)
    assert len(figure.axes) == 2 * 3 + 1
    assert "not trained: no song of this corpus has a language" in " ".join(texts(figure)).replace(
        "\n", " "
    )
    assert says(figure, "cvae_language")
    assert says(figure, "Loss (nats per value)")
    assert inside(figure)
    written(figure, tmp_path)


def test_a_run_without_any_trained_model_has_a_training_figure(tmp_path: Path) -> None:
    figure = training_figure([untrained_run("a"), untrained_run("b")], corpus_name=CORPUS)
    assert len(figure.axes) == 2
    written(figure, tmp_path)


def test_the_files_of_a_model_that_was_not_trained_are_read(tmp_path: Path) -> None:
    run = untrained_run()
    history, summary = tmp_path / "history.parquet", tmp_path / "summary.json"
    tables.write(run.history, history, tables.HISTORY)
    summary.write_text(json.dumps(run.summary))
    assert read_run(history, summary).why_untrained == "no song of this corpus has a language"
    summary.write_text(json.dumps({**run.summary, "note": None}))
    with pytest.raises(SongatlasError, match="has no `loss`"):
        read_run(history, summary)


def test_seeds_of_a_model_share_a_panel() -> None:
    runs = [training_run(), training_run(seed=1, best_epoch=12), training_run("pca")]
    figure = training_figure(runs, corpus_name=CORPUS)
    assert len(figure.axes) == 4
    assert says(figure, "epoch 17, 12 kept")


def test_training_files_are_read_and_checked(tmp_path: Path) -> None:
    history, summary = tmp_path / "history.parquet", tmp_path / "summary.json"
    tables.write(history_table(), history, tables.HISTORY)
    summary.write_text(json.dumps(training_summary()))
    assert read_run(history, summary).model == "conv_vae"
    summary.write_text(json.dumps({"model": "conv_vae"}))
    with pytest.raises(SongatlasError, match=r"summary\.json: lacks seed, best_epoch"):
        read_run(history, summary)
    summary.write_text(json.dumps(training_summary()))
    frame = history_table()
    tables.write(frame[frame["metric"] != "loss"], history, tables.HISTORY)
    with pytest.raises(SongatlasError, match=r"history\.parquet: has no `loss`"):
        read_run(history, summary)
    with pytest.raises(SongatlasError, match="no trained model"):
        training_figure([], corpus_name=CORPUS)


def reconstruction(song: str = "Paper $Boats_1^2") -> Figure:
    return reconstruction_figure(
        spectrogram_pair(64, 216),
        LogMel(n_mels=64, hop_length=1024),
        model="conv_vae",
        window=Window(song, 20.0),
        corpus_name=CORPUS,
    )


def test_reconstruction_shares_its_colour_scale_and_has_units() -> None:
    figure = reconstruction()
    images = [image for ax in figure.axes for image in ax.images]
    assert [image.get_clim() for image in images[:2]] == [(-3.0, 3.0)] * 2
    assert says(figure, "Time in the song (s)")
    assert says(figure, "Frequency (Hz, mel scale)")
    pair = spectrogram_pair(64, 216)
    assert says(figure, f"MSE {np.mean((pair[0] - pair[1]) ** 2, dtype=np.float64):.2f}")


def test_frequency_ticks_stand_at_the_bands_that_peak_there() -> None:
    import librosa

    logmel = LogMel()
    figure = reconstruction_figure(
        spectrogram_pair(), logmel, model="a", window=Window("b", 0.0), corpus_name=CORPUS
    )
    peaks = librosa.mel_frequencies(130, fmin=0.0, fmax=11025.0)[1:-1]
    ax = figure.axes[0]
    figure.draw_without_rendering()
    shown = zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    found = {int(label.get_text().replace(",", "")): at for at, label in shown}
    assert set(found) == {250, 500, 1000, 2000, 4000, 8000}
    for hertz, at in found.items():
        assert np.interp(at, np.arange(128), peaks) == pytest.approx(hertz, rel=0.01)


def test_a_window_is_named_by_its_song(tmp_path: Path) -> None:
    path = tmp_path / "reconstruction.parquet"
    pairs = np.stack([spectrogram_pair(16, 80)] * 2)
    tables.write_feature(path, "reconstruction", ["w1", "w0"], pairs, units="standardised dB")
    found = first_pair(path)
    assert found is not None
    window_id, pair = found
    assert (window_id, pair.shape) == ("w1", (2, 16, 80))
    labels = labels_table()
    windows = pd.DataFrame(
        {"window_id": ["w0", "w1"], "track_id": labels["track_id"][:2], "start_s": [0.0, 20.0]}
    )
    assert window_of("w1", windows, labels) == Window("Paper $Boats_1^2 1 — Artist 1", 20.0)
    unnamed = labels.assign(title=None, artist=None)
    assert window_of("w1", windows, unnamed).song == f"song {labels['track_id'][1]}"
    with pytest.raises(SongatlasError, match="w9"):
        window_of("w9", windows, labels)


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("not trained: no song has a language", "not trained: no song has a language"),
        ("this model decodes nothing", "this model decodes nothing"),
        ("", "no window to reconstruct"),
    ],
)
def test_a_model_without_reconstruction_has_a_page_that_says_why(
    note: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "reconstruction.parquet"
    none = np.zeros((0, 2, 16, 80), np.float32)
    tables.write_feature(
        path, "reconstruction", [], none, units="standardised dB", metadata={"note": note}
    )
    assert first_pair(path) is None
    figure = no_reconstruction_figure(why_nothing(path), model="cvae", corpus_name=CORPUS)
    assert words in " ".join(texts(figure)).replace("\n", " ")
    assert CORPUS in " ".join(texts(figure))
    assert inside(figure)
    written(figure, tmp_path)
