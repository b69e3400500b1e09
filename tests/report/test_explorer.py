"""The explorer's data: what is written beside the page, and what it must never write."""

import base64
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml

import explorer_page
from conftest import ROOT
from songatlas.plan.workflow import Plan
from songatlas.report.explorer import (
    attributes,
    audio,
    cards,
    catalogue,
    model_data,
    neighbours,
    page,
    projections,
    scripts,
    spectrograms,
)
from songatlas.words import words
from songatlas.words.describe import effect_sizes
from songatlas.words.tags import NO_TAGS, SongTags

FRONTEND = ROOT / "resources" / "explorer"
KINDS = {kind: dtype for dtype, kind in scripts.KINDS.items()}


def provided(path: Path) -> Any:
    """The value that a data script hands to the page."""
    text = path.read_text(encoding="utf-8")
    match = re.fullmatch(r'SONGATLAS\.provide\("([^"]+)",(.*)\);\n', text, re.DOTALL)
    assert match, text[:100]
    assert path.as_posix().endswith(f"/{match[1]}.js")
    return json.loads(match[2])


def unpacked(packed: dict[str, str]) -> np.ndarray:
    [(kind, text)] = packed.items()
    return np.frombuffer(base64.b64decode(text), np.dtype(KINDS[kind]).newbyteorder("<"))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return explorer_page.write_small_page(tmp_path_factory.mktemp("explorer"))


@pytest.fixture
def found() -> catalogue.Catalogue:
    return catalogue.catalogue(
        explorer_page.tracks(), explorer_page.labels(), explorer_page.windows()
    )


# --- data as scripts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["</script><script>alert(1)//", "\u2028\u2029", "&lt;", "<!--", '"\\', "\ud800"]
)
def test_no_text_leaves_its_string(text: str, tmp_path: Path) -> None:
    scripts.write(tmp_path / "x.js", "x", {"text": text})
    raw = (tmp_path / "x.js").read_text(encoding="utf-8")
    assert not set("<>&\u2028\u2029") & set(raw)
    assert provided(tmp_path / "x.js")["text"] == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("dtype", scripts.KINDS)
def test_arrays_come_back_as_they_were(dtype: str) -> None:
    values = np.array([0, 1, 2, 77], dtype)
    assert unpacked(scripts.packed(values)).tolist() == values.tolist()


def test_what_json_does_not_know_becomes_null() -> None:
    assert scripts.literal({"a": [np.nan, np.inf, np.float32(1.5), np.int64(2)]}) == (
        '{"a":[null,null,1.5,2]}'
    )
    with pytest.raises(ValueError, match="float64"):
        scripts.packed(np.zeros(2))


# --- catalogue and attributes -------------------------------------------------------------------


def test_windows_know_the_row_of_their_song(found: catalogue.Catalogue) -> None:
    assert found.windows["song"].tolist() == [song for song in range(8) for _ in range(3)]
    assert found.song_rows(["0" * 16, "unknown"]).tolist() == [0, -1]


def test_labels_are_classes_or_scales(found: catalogue.Catalogue) -> None:
    listed = {item["key"]: item for item in attributes.label_attributes(found)}
    assert listed["genre"]["names"] == ["pop", "rock"]
    codes = unpacked(listed["language"]["codes"])
    assert listed["language"]["names"] == ["en", "ar", "fr"]
    assert codes.tolist() == [0, 1, 0, 0, 0, 2, 0, attributes.MISSING]
    assert unpacked(listed["factor_tempo_bpm"]["song"])[0] == np.float32(80.5)
    assert listed["factor_key"]["names"] == ["0", "1", "2"]  # a whole number with few values
    assert "split" not in listed  # one value colours nothing


def test_descriptors_of_songs_are_means_over_windows(found: catalogue.Catalogue) -> None:
    ids = list(found.windows["window_id"])[1:]
    values = np.arange(2 * len(ids), dtype=np.float32).reshape(-1, 2)
    listed, of_window, of_song = attributes.descriptor_attributes(
        found, ids, values, ["other", "tempo_bpm"]
    )
    assert [item["label"] for item in listed] == ["Tempo"]
    assert np.isnan(of_window[0, 0])
    assert of_window[1, 0] == 1.0
    assert of_song[0, 0] == 2.0  # of its second and third window


def test_clusterings_follow_the_points_and_mark_the_others(found: catalogue.Catalogue) -> None:
    rows = pd.DataFrame(
        {
            "level": "song",
            "window_id": [None] * 2,
            "track_id": [f"{3:016x}", f"{1:016x}"],
            "algorithm": "hdbscan",
            "k": pd.array([None, None], "Int32"),
            "label": [-1, 4],
        }
    )
    [one] = model_data.clusterings(rows, found, {"song": np.array([1, 2, 3])})
    assert one.k is None
    assert one.labels.tolist() == [4, model_data.NOT_CLUSTERED, -1]


# --- cards --------------------------------------------------------------------------------------


def test_effect_sizes_are_hedges_g() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(30, 2))
    values[:10, 0] += 2.0
    labels = np.repeat([0, 1, -1], 10)
    inside, outside = values[:10, 0], values[10:, 0]
    pooled = np.sqrt((9 * inside.var(ddof=1) + 19 * outside.var(ddof=1)) / 28)
    expected = (inside.mean() - outside.mean()) / pooled * (1 - 3 / (4 * 28 - 1))
    g = effect_sizes(values, labels)
    assert g[0, 0] == pytest.approx(expected)
    assert g.shape == (2, 2)


def test_effect_sizes_need_two_sides_and_variation() -> None:
    values = np.array([[1.0, 1.0], [2.0, 1.0], [np.nan, 1.0]])
    assert np.isnan(effect_sizes(values, np.array([0, 0, 1]))).all()
    assert np.isnan(effect_sizes(values, np.array([0, 0, 0]))).all()
    assert effect_sizes(values, np.full(3, -1)).shape == (0, 2)


def test_purity_and_its_interval() -> None:
    labels = np.array([0] * 10 + [1] * 3 + [-1])
    codes = np.array([0] * 8 + [1] * 2 + [-1] * 3 + [0])
    rows = cards.purities(labels, codes, np.arange(14), 2)
    assert rows[0]["counts"] == [8, 2]
    assert rows[0]["purity"] == 0.8
    assert rows[0]["ci"] == [0.5, 0.9748]  # Clopper and Pearson: from 0.4439, and no class is below
    assert rows[1] == {"counts": [0, 0], "purity": None, "ci": None}


def test_windows_of_one_song_do_not_narrow_the_interval() -> None:
    def width(windows: int) -> float:
        codes = np.repeat([0, 0, 0, 1, 1], windows)
        songs = np.repeat(np.arange(5), windows)
        labels = np.zeros(len(codes), int)
        [row] = cards.purities(labels, codes, songs, 2)
        return row["ci"][1] - row["ci"][0]

    assert width(20) == width(1)


def test_a_pure_cluster_of_few_songs_is_not_certain() -> None:
    for n, low in ((1, 0.025), (3, 0.2924), (30, 0.8843)):
        [row] = cards.purities(np.zeros(n, int), np.zeros(n, int), np.arange(n), 100)
        assert row["ci"] == [low, 1.0]


def test_words_are_lower_case_and_keep_marks() -> None:
    assert words.words("L'été, naïve NIGHT—night 42 a") == ["l'été", "naïve", "night", "night"]
    assert words.words("मैं हिंदी") == ["मैं", "हिंदी"]
    assert words.words("الملعب") == ["الملعب"]


def test_distinctive_words_are_compared_within_a_language() -> None:
    texts = [
        "the moon the river moon moon",
        "the moon moon and the sea",
        "the train the road train train",
        "the train train and the dust",
        "la luna",
        None,
    ]
    languages = ["en", "en", "en", "en", "es", "en"]
    counts = words.count_words(texts, languages)
    found = words.distinctive(counts, np.array([0, 0, 1, 1, 0, 1]))
    assert found[0]["en"][0] == "moon"
    assert "the" not in found[0]["en"]
    assert "river" not in found[0]["en"]  # in one of its two songs
    assert found[1]["en"][0] == "train"
    assert words.distinctive(words.count_words(["a night", "the day"], ["en"] * 2),
                             np.array([0, 1])) == [{}, {}]  # fmt: skip
    assert "es" not in found[0]  # nothing else is in Spanish to compare with


def items_of(
    found: catalogue.Catalogue, tempo: np.ndarray, tags: SongTags = NO_TAGS
) -> dict[str, cards.Items]:
    sound = {"window": np.zeros((24, 1)), "song": tempo}
    return page.card_items(found, page.measured(found, sound, ["tempo_bpm"], tags))


def test_a_card_shows_tags_sound_and_the_songs_at_the_centre(found: catalogue.Catalogue) -> None:
    tempo = np.array([[0.0], [1], [9], [10], [2], [11], [0], [9]])
    pop_tag = np.array([[0.1, 0.3 + 0.01 * i] for i in range(8)])
    pop_tag[[2, 3, 5, 7], 0] = 0.9
    tags = SongTags(tuple(found.songs["track_id"]), ("pop", "rock"), pop_tag)
    items = items_of(found, tempo, tags)["song"]
    labels = np.array([genre == "pop" for genre in explorer_page.GENRES]).astype(int)
    z = np.arange(8, dtype=float)[:, None]
    rock, pop = cards.cards(items, labels, z, ["unsure", "pop"])
    assert (rock["name"], pop["name"]) == ("unsure", "pop")
    assert [one["word"] for one in pop["sound"]] == ["fast"]
    assert [one["word"] for one in rock["sound"]] == ["slow"]
    assert pop["tags"][0]["word"] == "pop"
    assert "pop" not in [one["word"] for one in rock["tags"]], "a low tag is no word"
    assert pop["tags"][0]["g"] is None, "nothing varies within: it is apart altogether"
    assert pop["size"] == 4
    assert pop["classes"]["genre"]["purity"] == 1.0
    assert pop["centre"][0] in (3, 5)  # songs 2, 3, 5, 7: mean 4.25
    assert len(pop["centre"]) == cards.CENTRES


def test_a_card_plays_no_song_twice() -> None:
    z = np.array([[0.0], [0.1], [0.2], [5.0]])
    assert cards.centre(z, np.arange(4), np.array([0, 0, 0, 1])).tolist() == [2, 3]


def test_a_clustering_of_noise_alone_has_no_card(found: catalogue.Catalogue) -> None:
    items = items_of(found, np.zeros((8, 1)))["song"]
    assert cards.cards(items, np.full(8, -1), np.zeros((8, 2))) == []


def test_the_named_clustering_comes_with_its_names(found: catalogue.Catalogue) -> None:
    ids = list(found.songs["track_id"])[:6]
    named = pd.DataFrame(
        {"model": "m", "k": 2, "cluster": [0, 0, 1, 1, 1, 0], "track_id": ids}
    ).assign(name=lambda frame: frame["cluster"].map({0: "unsure", 1: "<b>folk"}))
    points = {"song": np.arange(8)}
    (one,) = model_data.named_clustering(named, found, points)
    assert one.labels.tolist() == [0, 0, 1, 1, 1, 0, *[model_data.NOT_CLUSTERED] * 2]
    assert one.names == ("unsure", "<b>folk")
    assert model_data.named_clustering(named[:0], found, points) == []


def test_tags_colour_the_map(found: catalogue.Catalogue) -> None:
    ids = list(found.songs["track_id"])
    tags = SongTags(tuple(ids[:2]), ("sexy", "pop"), np.array([[0.9, 0.5], [0.8, 0.25]]))
    likeliest, pop = attributes.tag_attributes(ids, tags)
    assert likeliest["names"] == ["pop"], "what is never shown colours nothing"
    assert pop["label"] == "pop"
    assert pop["group"] == "Tags"
    assert attributes.tag_attributes(ids, NO_TAGS) == []


# --- neighbours and maps ------------------------------------------------------------------------


def test_neighbours_in_the_same_and_in_other_languages() -> None:
    z = np.array([[0.0], [1], [2], [3], [4]])
    languages = np.array([0, 1, 0, 1, -1])
    same = neighbours.neighbours(z, 4, languages=languages, scope="same")
    assert same.rows[:, 0].tolist() == [2, 3, 0, 1, neighbours.NOBODY]
    assert (same.rows[:, 1:] == neighbours.NOBODY).all()
    other = neighbours.neighbours(z, 2, languages=languages, scope="other")
    assert other.rows[0].tolist() == [1, 3]
    assert other.rows[4].tolist() == [neighbours.NOBODY] * 2, "its language is not known"
    anything = neighbours.neighbours(z, 2, languages=languages)
    assert anything.rows[4].tolist() == [3, 2]


def test_neighbours_agree_with_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.neighbors import NearestNeighbors

    monkeypatch.setattr(neighbours, "CHUNK", 7)
    z = np.random.default_rng(0).normal(size=(40, 5))
    mine = neighbours.neighbours(z, 6)
    distances, rows = NearestNeighbors(n_neighbors=7).fit(z).kneighbors(z)
    assert (mine.rows == rows[:, 1:]).all()
    scale = distances[:, 1:] / mine.distances
    assert scale.std() < 1e-5


def test_the_distance_splits_by_block() -> None:
    z = np.zeros((4, 4))
    z[:, :2] = np.array([[1, 1], [2, 1], [1, 2], [2, 2]])
    z[:, 2] = [1, 1, 5, 5]  # rows of zeros would stand for a missing block
    found = neighbours.neighbours(z, 1, {"audio": (0, 2), "lyrics": (2, 4)})
    assert found.rows[:, 0].tolist() == [1, 0, 3, 2]
    assert found.shares[:, 0].tolist() == [[1.0, 0.0]] * 4  # only the sound differs
    assert neighbours.neighbours(z, 3, {"audio": (0, 2), "lyrics": (2, 4)}).shares.sum(
        axis=-1
    ) == pytest.approx(1.0)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_few_songs_have_few_neighbours(n: int) -> None:
    assert neighbours.neighbours(np.ones((n, 3)), 10).rows.shape == (n, max(n - 1, 0))


@pytest.mark.parametrize("n", [1, 2, 4, 6])
def test_maps_of_few_points(n: int) -> None:
    z = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    found = projections.maps(z, ["tsne", "pca"], explorer_page.settings().figures, 0)
    assert found["pca"].shape == (n, 2)
    assert ("tsne" in found) == (n >= 5)
    assert all(np.isfinite(points).all() for points in found.values())


def test_maps_are_framed_in_the_unit_square() -> None:
    points = projections.framed(np.array([[10.0, 5.0], [14.0, 6.0]])).reshape(-1, 2)
    assert points.tolist() == [[-1.0, -0.25], [1.0, 0.25]]
    assert projections.framed(np.ones((1, 2))).tolist() == [0.0, 0.0]


# --- sound and pictures -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("CC BY-NC-ND 4.0", True),
        ("by-nd", True),
        ("https://creativecommons.org/licenses/by-nc-nd/3.0/", True),
        ("cc_by_nd", True),
        ("Attribution-NoDerivs 2.0", True),
        ("No Derivatives", True),
        ("All rights reserved", True),
        ("CC0-1.0", False),
        ("CC BY-NC-SA 3.0", False),
        ("Candid", False),
        (None, False),
    ],
)
def test_licences_that_forbid_derivatives(text: str | None, forbidden: bool) -> None:
    assert audio.forbids_derivatives(text) is forbidden


def test_links_lead_from_the_page_to_the_file(tmp_path: Path) -> None:
    target = tmp_path / "my music" / "50% é#1.mp3"
    link = audio.link(str(target), tmp_path / "results" / "explorer")
    assert link == "../../my%20music/50%25%20%C3%A9%231.mp3"
    assert audio.link(None, tmp_path) is None


def test_previews_are_short_and_withheld_where_the_licence_says_so(small: Path) -> None:
    run = provided(small / "data" / "run.js")
    has = unpacked(run["audio"]["preview"]).reshape(8, 3)
    assert has.all(axis=1).tolist() == [True] * 6 + [False, False]  # ND; no audio
    assert run["audio"]["withheld"] == 1
    info = soundfile.info(small / audio.preview_name(0))
    assert info.samplerate == audio.PREVIEW_RATE_HZ
    assert info.channels == 1
    assert info.duration == pytest.approx(explorer_page.LENGTH_S, abs=0.1)
    assert not (small / audio.preview_name(3 * 6)).exists()


def test_whoever_opts_in_gets_every_preview_and_nobody_else_any(tmp_path: Path) -> None:
    opted = explorer_page.write_small_page(tmp_path / "in", previews_despite_licence=True)
    assert (opted / audio.preview_name(3 * 6)).exists()
    without = explorer_page.write_small_page(tmp_path / "out", previews=False)
    assert not (without / "audio").exists()
    link = provided(without / "data" / "run.js")["audio"]["link"][0]
    assert (without / link.replace("%20", " ")).resolve().is_file()


@pytest.mark.parametrize(
    ("corpus", "previews", "expected"),
    [("demo", None, True), ("folder", None, False), ("folder", True, True), ("demo", False, False)],
)
def test_previews_are_the_demos_alone_unless_asked_for(
    corpus: str, previews: bool | None, expected: bool
) -> None:
    values = {"corpus": corpus, "corpus_path": "songs", "explorer": {"previews": previews}}
    assert Plan(values).explorer()["previews"] is expected


def test_the_default_config_copies_nobodys_songs() -> None:
    values = yaml.safe_load((ROOT / "config" / "config.yaml").read_text(encoding="utf-8"))
    assert Plan({**values, "corpus": "folder", "corpus_path": "x"}).explorer()["previews"] is False


def test_audio_that_is_gone_leaves_the_page_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    inputs = explorer_page.write_inputs(tmp_path)
    (tmp_path / "song 0.wav").unlink()
    page.write_page(inputs, tmp_path / "page", explorer_page.settings(), run="r", corpus_name="c")
    has = unpacked(provided(tmp_path / "page" / "data" / "run.js")["audio"]["preview"])
    assert has[:4].tolist() == [0, 0, 0, 1]
    assert "missing_file" in caplog.text


def test_spectrograms_keep_the_loudest_at_the_top_of_the_range() -> None:
    mel_db = np.full((4, 700), -100.0, np.float32)
    mel_db[0] = -10.0  # the lowest band
    steps = spectrograms.quantised(mel_db)
    assert steps.shape == (4, spectrograms.WIDTH)
    assert set(steps[3]) == {spectrograms.STEPS - 1}
    assert set(steps[0]) == {0}


def test_a_spectrogram_is_a_picture_with_a_palette(tmp_path: Path) -> None:
    from PIL import Image

    path = tmp_path / "deep" / "x.png"
    spectrograms.write_spectrogram(np.random.default_rng(0).uniform(-70, 0, (32, 100)), path)
    with Image.open(path) as image:
        assert (image.size, image.mode) == ((100, 32), "P")
        assert image.getcolors()


# --- the page -----------------------------------------------------------------------------------


def test_the_page_is_the_same_when_written_again(small: Path, tmp_path: Path) -> None:
    again = explorer_page.write_small_page(tmp_path)
    ours = {path.relative_to(small): path.read_bytes() for path in small.rglob("*.*")}
    theirs = {path.relative_to(again): path.read_bytes() for path in again.rglob("*.*")}
    assert ours == theirs


def test_what_lay_there_before_is_gone(tmp_path: Path) -> None:
    old = tmp_path / "report" / "explorer" / "audio" / "old.mp3"
    old.parent.mkdir(parents=True)
    old.touch()
    explorer_page.write_small_page(tmp_path)
    assert not old.exists()


def test_a_model_of_songs_alone_has_one_level(small: Path) -> None:
    run = provided(small / "data" / "run.js")
    assert [sorted(model["levels"]) for model in run["models"]] == [["song", "window"], ["song"]]
    near = provided(small / "data" / "model-0.js")["neighbours"]
    assert near["same"]["blocks"] == ["audio", "lyrics"]
    assert provided(small / "data" / "model-1.js")["neighbours"]["any"]["blocks"] == []
    levels = [one["level"] for one in run["models"][0]["clusterings"]]
    assert levels == ["song", "window", "song", "song_vote"]
    assert run["models"][0]["clusterings"][0]["names"] == list(explorer_page.NAMES)
    assert len(provided(small / "data" / "cards-0.js")) == 4


def test_a_model_without_points_stands_last(tmp_path: Path) -> None:
    page = explorer_page.write_page_with_an_empty_model(tmp_path, "two_blocks")
    models = provided(page / "data" / "run.js")["models"]
    assert [model["name"] for model in models] == ["words", "two_blocks"]


def test_the_page_knows_whose_labels_a_model_saw(small: Path) -> None:
    run = provided(small / "data" / "run.js")
    assert [one["supervision"] for one in run["models"]] == ["none", "elsewhere"]
    rows = {row["model"]: row["supervision"] for row in run["comparison"]["rows"]}
    assert rows == {"two_blocks": "none", "words": "elsewhere", "gone": "labels"}
    text = (ROOT / "resources/explorer/page/explorer.js").read_text(encoding="utf-8")
    assert "trained on other people's labels" in text


def test_the_umap_of_the_figures_is_the_pages_too(small: Path) -> None:
    model = provided(small / "data" / "model-0.js")
    drawn = pd.read_parquet(small.parents[1] / "projections.parquet")
    mine = (drawn["model"] == "two_blocks") & (drawn["level"] == "window")
    drawn = drawn[mine][["x", "y"]].to_numpy()
    shown = unpacked(model["levels"]["window"]["maps"]["umap"])
    assert shown == pytest.approx(projections.framed(drawn))


def test_a_model_that_had_nothing_to_train_on_has_no_points(tmp_path: Path) -> None:
    page_folder = explorer_page.write_page_with_an_empty_model(tmp_path)
    model = provided(page_folder / "data" / "run.js")["models"][1]
    assert (model["levels"], model["clusterings"]) == ({}, [])
    assert model["note"] == "no song has lyrics"
    assert provided(page_folder / "data" / "model-1.js")["neighbours"] is None


def test_lyrics_have_times_where_known(small: Path) -> None:
    lyrics = provided(small / "data" / "lyrics-0.js")
    assert lyrics[0][1] == [1.5, 3.0, "the city glows tonight"]
    assert lyrics[2] == [[None, None, "<b>bold</b> river & moon"]]
    assert lyrics[4] == []


def test_nothing_on_the_page_leads_to_the_network() -> None:
    html = (page.BUNDLE / "index.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in html
    assert "unsafe" not in html
    assert not re.search(r"(src|href)=\"(https?:)?//", html)
    for file in page.BUNDLE.iterdir():
        text = file.read_text(encoding="utf-8")
        assert file.stat().st_size < 2**20
        assert not re.search(r"fetch\(|XMLHttpRequest|WebSocket|sendBeacon|innerHTML", text), file


def test_the_sources_write_no_html() -> None:
    for file in (FRONTEND / "src").glob("*.js"):
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)


@pytest.mark.slow
def test_the_bundle_is_what_the_sources_build(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is absent: the explorer's bundle cannot be rebuilt here")
    copy = tmp_path / "frontend"
    shutil.copytree(FRONTEND, copy, ignore=shutil.ignore_patterns("node_modules"))
    clean = {key: value for key, value in os.environ.items() if not key.startswith("npm_")}
    installed = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        cwd=copy,
        env=clean,
        capture_output=True,
        text=True,
    )
    if installed.returncode:
        pytest.skip(f"npm ci found no registry: {installed.stderr.strip()[-200:]}")
    subprocess.run(["node", "build.mjs", str(tmp_path / "bundle")], cwd=copy, check=True)
    built = {path.name: path.read_bytes() for path in (tmp_path / "bundle").iterdir()}
    assert built == {path.name: path.read_bytes() for path in page.BUNDLE.iterdir()}


def test_names_that_pandas_takes_for_missing_values_stay_names(tmp_path: Path) -> None:
    path = tmp_path / "page.csv"
    numbers = [column for column, _ in page.COLUMNS]
    header = ["model", "task", "level", "supervision", *numbers]
    path.write_text(f"{','.join(header)}\nnan,no,song,none{',' * len(numbers)}\n")
    (row,) = page.comparison(path)["rows"]
    assert (row["model"], row["task"]) == ("nan", "no")
    assert row["values"] == [None] * len(numbers)


def test_hokkien_and_norwegian_are_classes_of_the_page() -> None:
    columns = dict.fromkeys(("genre", "artist", "split", "license"))
    songs = pd.DataFrame({"language": ["nan", "no", None, "nan"]}).assign(**columns)
    (found,) = attributes.label_attributes(catalogue.Catalogue(songs, pd.DataFrame()))
    assert found["names"] == ["nan", "no"]
    assert [page.language_name(name) for name in found["names"]] == ["Hokkien", "Norwegian"]
