"""Lyrics by ear: Whisper's path on a tiny checkpoint, the guard, the voice, and the error rate."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
import transformers

import tiny_encoders
from pipeline import SMALL, snakemake, write_corpus
from songatlas import tables
from songatlas.config.features import Pretrained
from songatlas.config.run import Config
from songatlas.config.words import Transcription
from songatlas.errors import SongatlasError
from songatlas.words.transcription import separate, wer
from songatlas.words.transcription.guard import Segment, compression_ratio, judged
from songatlas.words.transcription.load import load_transcriber
from songatlas.words.transcription.tables import SEGMENTS, SONGS, with_transcripts
from songatlas.words.transcription.whisper import RATE_HZ, Heard, Transcriber
from songatlas.words.transcription.write import to_transcribe, transcribe_songs, write_transcripts

torch.set_num_threads(1)

# --- which segments are believed ---------------------------------------------------------------

CHORUS = "and the river runs down to the sea, and nobody knows where we are going to be"


def segment(text: str = CHORUS, at: float = 0.0, **more: Any) -> Segment:
    return Segment(at, at + 4.0, text, **{"log_probability": -0.3, "no_speech": 0.1, **more})


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (segment(), None),
        (segment(log_probability=-1.2), "not confident"),
        (segment(log_probability=-1.2, no_speech=0.9), "no speech"),
        (segment(no_speech=0.9), None),
        (segment("la " * 60), "repeats itself"),
        (segment("♪ ..."), "no words"),
        (Segment(5.0, 4.0, "home", -0.1, 0.0), "ends before it starts"),
    ],
)
def test_a_segment_is_believed_or_says_why_not(one: Segment, reason: str | None) -> None:
    assert [found.reason for found in judged([one], Transcription())] == [reason]


def test_a_line_without_end_is_a_loop_and_a_chorus_is_not() -> None:
    loop = [segment("Thank you.", at=4.0 * i) for i in range(9)]
    found = [one.reason for one in judged(loop, Transcription())]
    assert found[:4] == [None] * 4
    assert set(found[4:]) == {"repeats itself"}
    chorus = [segment(text, at=4.0 * i) for i, text in enumerate(["oh my love", "come home"] * 9)]
    assert {one.reason for one in judged(chorus, Transcription())} == {None}


def test_texts_that_repeat_compress_and_short_ones_tell_nothing() -> None:
    assert compression_ratio("hey " * 50) > 2.4
    assert compression_ratio(CHORUS) < 2.4
    assert compression_ratio("la la la") == 1.0


# --- Whisper -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.checkpoint("whisper-asr", tmp_path_factory.mktemp("weights"))


@pytest.fixture(scope="module")
def transcriber(folder: Path) -> Transcriber:
    return load_transcriber("whisper", Pretrained(weights={"whisper": str(folder)}, device="cpu"))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = round(seconds * RATE_HZ)
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


def test_language_and_silence_are_what_the_model_says(
    transcriber: Transcriber, folder: Path
) -> None:
    wave = noise(42.0)
    heard = transcriber.listen(wave)
    assert len(heard.no_speech) == 2
    # The same from the model itself, chunk by chunk.
    processor = transformers.WhisperProcessor.from_pretrained(folder)
    model = transformers.WhisperForConditionalGeneration.from_pretrained(folder).eval()
    start = torch.tensor([[model.generation_config.decoder_start_token_id]])
    silent, spoken = [], []
    for part in (wave[: 30 * RATE_HZ], wave[30 * RATE_HZ :]):
        features = processor(part, sampling_rate=RATE_HZ, return_tensors="pt").input_features
        with torch.inference_mode():
            logits = model(features, decoder_input_ids=start).logits[0, 0]
        silent.append(
            float(logits.softmax(0)[processor.tokenizer.convert_tokens_to_ids("<|nospeech|>")])
        )
        ids = processor.tokenizer.convert_tokens_to_ids(
            [f"<|{x}|>" for x in sorted(tiny_encoders.LANGUAGES)]
        )
        spoken.append(logits[ids].softmax(0).numpy())
    np.testing.assert_allclose(heard.no_speech, silent, rtol=1e-4)
    shares = np.average(spoken, axis=0, weights=1.0 - np.array(silent))
    assert heard.language == sorted(tiny_encoders.LANGUAGES)[int(shares.argmax())]
    assert heard.probability == pytest.approx(float(shares.max()), rel=1e-4)


@pytest.mark.parametrize("seconds", [8.0, 70.0])
def test_segments_have_times_within_the_song_and_scores(
    transcriber: Transcriber, seconds: float
) -> None:
    wave = noise(seconds)
    found = transcriber.transcribe(wave, transcriber.listen(wave), "es")
    assert found
    assert all(0.0 <= one.start_s <= seconds for one in found)
    assert all(one.end_s <= seconds for one in found)
    # Random weights choose among 26 letters, or as many timestamps as there are.
    assert all(-8.0 < one.log_probability < -2.0 for one in found)
    assert {one.reason for one in judged(found, Transcription())} <= {
        "not confident",
        "no words",
        "ends before it starts",
    }
    again = transcriber.transcribe(wave, transcriber.listen(wave), "es")
    assert again == found


def test_what_cannot_be_used_is_said(transcriber: Transcriber, tmp_path: Path) -> None:
    with pytest.raises(SongatlasError, match=r"transcription\.language: `xx` is not a language"):
        transcriber.transcribe(noise(3.0), Heard("en", 1.0, (0.0,)), "xx")
    encoder = tiny_encoders.checkpoint("whisper", tmp_path)
    with pytest.raises(SongatlasError, match="is not a multilingual one"):
        load_transcriber("whisper", Pretrained(weights={"whisper": str(encoder)}, device="cpu"))
    with pytest.raises(Exception, match=r"transcription\.encoder: `ast` is no Whisper"):
        Config(transcription={"include": True, "encoder": "ast"})


# --- the voice ---------------------------------------------------------------------------------


class Half:
    """A separator to which half of everything is the voice."""

    def __call__(self, stereo: torch.Tensor) -> torch.Tensor:
        return torch.stack([stereo / 6.0] * 3 + [stereo / 2.0], dim=1)


@pytest.mark.parametrize("seconds", [0.5, 9.0, 10.5, 31.0])
def test_chunks_join_without_a_seam(seconds: float) -> None:
    samples = round(seconds * separate.RATE_HZ)
    wave = np.random.default_rng(0).normal(0.01, 0.2, samples).astype(np.float32)
    voice = separate.vocals(Half(), wave, "cpu")
    np.testing.assert_allclose(voice, (wave - wave.mean()) / 2.0, atol=1e-5)


def test_who_sings_is_heard_beside_the_band() -> None:
    rate = 1000
    rng = np.random.default_rng(0)
    mix = rng.normal(0, 0.1, 20 * rate)
    voice = 0.001 * mix
    voice[: 5 * rate] = mix[: 5 * rate]
    assert separate.sung_share(voice, mix, rate) == 0.25
    assert separate.sung_share(np.zeros_like(mix), mix, rate) == 0.0
    assert separate.sung_share(voice[:10], mix[:10], rate) == 0.0


def test_the_separators_weights_go_the_way_of_the_published_ones(tmp_path: Path) -> None:
    from torchaudio.models import hdemucs_high

    with pytest.raises(SongatlasError, match=r"is not there; docs/words\.md"):
        separate.load_separator(tmp_path / "absent.pt", "cpu")
    (tmp_path / "broken.pt").write_bytes(b"no weights")
    with pytest.raises(SongatlasError, match="does not hold the weights of torchaudio's"):
        separate.load_separator(tmp_path / "broken.pt", "cpu")
    torch.manual_seed(0)
    model = hdemucs_high(list(separate.STEMS))
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    loaded = separate.load_separator(tmp_path / "weights.pt", "cpu")
    wave = np.random.default_rng(0).normal(0, 0.1, 2 * separate.RATE_HZ).astype(np.float32)
    voice = separate.vocals(loaded, wave, "cpu")
    assert voice.shape == wave.shape
    assert np.isfinite(voice).all()
    with torch.inference_mode():
        padded = torch.zeros(1, 2, 10 * separate.RATE_HZ)
        padded[..., : len(wave)] = torch.from_numpy((wave - wave.mean()) / (wave.std() + 1e-8))
        expected = model.eval()(padded)[0, 3].mean(0)[: len(wave)].numpy() * wave.std()
    np.testing.assert_allclose(voice, expected, atol=1e-4)


# --- songs -------------------------------------------------------------------------------------


class Ears:
    """A transcriber that hears what a song's first sample says."""

    device = "cpu"

    def listen(self, wave: np.ndarray) -> Heard:
        return Heard("es", 0.9, (0.95 if wave[0] < 0 else 0.05,))

    def transcribe(self, wave: np.ndarray, heard: Heard, language: str) -> list[Segment]:
        return [
            Segment(0.0, 1.0, f"hola {language}", -0.2, 0.05),
            Segment(1.0, 2.0, "gracias por ver el video", -3.0, 0.05),
        ]


def songs(folder: Path) -> pd.DataFrame:
    """One song that is sung, an instrumental, one that is broken."""
    rows = []
    for name, level in (("sung", 0.5), ("played", -0.5)):
        wave = np.full(2 * RATE_HZ, level, np.float32)
        wave += np.random.default_rng(0).normal(0, 0.01, len(wave)).astype(np.float32)
        soundfile.write(folder / f"{name}.wav", wave, RATE_HZ)
        rows.append((name, str(folder / f"{name}.wav")))
    (folder / "broken.wav").write_bytes(b"RIFFnothing")
    rows.append(("broken", str(folder / "broken.wav")))
    return pd.DataFrame(rows, columns=["source_id", "audio_path"])


def test_instrumental_and_broken_songs_get_no_invented_text(tmp_path: Path) -> None:
    rows = songs(tmp_path).itertuples(index=False)
    segments, heard = transcribe_songs(rows, Ears, Transcription())
    notes = heard.set_index("source_id")["note"]
    assert notes["played"] == "nobody sings"
    assert "broken.wav" in notes["broken"]
    assert pd.isna(notes["sung"])
    assert set(segments["source_id"]) == {"sung"}
    assert [r if isinstance(r, str) else None for r in segments["reason"]] == [
        None,
        "not confident",
    ]
    forced = transcribe_songs(
        songs(tmp_path).iloc[:1].itertuples(index=False), Ears, Transcription(language="fr")
    )
    assert forced[0]["text"].iloc[0] == "hola fr"
    assert list(forced[1]["language"]) == ["fr"]


def test_nothing_to_do_loads_nothing(tmp_path: Path) -> None:
    def load() -> None:
        raise AssertionError("loaded")

    said = write_transcripts(
        [], load, Transcription(), tmp_path / "segments.parquet", tmp_path / "songs.parquet"
    )
    assert said == "0 songs listened to, 0 with lyrics, 0 of 0 segments not believed"
    assert len(tables.read(tmp_path / "songs.parquet", SONGS)) == 0
    assert len(tables.read(tmp_path / "segments.parquet", SEGMENTS)) == 0


def sources(**columns: Iterable[Any]) -> pd.DataFrame:
    n = len(list(columns["source_id"]))
    frame = pd.DataFrame({name: [None] * n for name in tables.SOURCES.columns})
    return frame.assign(lyrics_source="none", **columns)


def test_only_missing_lyrics_are_filled_in() -> None:
    frame = sources(
        source_id=["a", "b", "c"],
        audio_path=["a.wav", "b.wav", "c.wav"],
        lyrics=["own words", None, None],
        language=["en", None, None],
    )
    segments = pd.DataFrame(
        [
            ("a", 0.0, 1.0, "heard", -0.1, 0.0, None),
            ("b", 2.0, 3.0, "segunda", -0.1, 0.0, None),
            ("b", 0.0, 1.0, "primera", -0.1, 0.0, None),
            ("b", 3.0, 4.0, "gracias", -2.0, 0.0, "not confident"),
            ("c", 0.0, 1.0, "nada", -2.0, 0.0, "not confident"),
        ],
        columns=list(SEGMENTS.columns),
    )
    heard = pd.DataFrame(
        [("a", "es", 0.9, None, None), ("b", "jw", 0.9, None, None), ("c", None, None, None, "-")],
        columns=list(SONGS.columns),
    )
    found = with_transcripts(frame, segments, heard).set_index("source_id")
    assert found["lyrics"]["a"] == "own words"
    assert list(found["lyrics_source"]) == ["none", "transcribed", "none"]
    assert list(found["language"][:2]) == ["en", "jv"]  # Whisper says jw
    assert found["language_source"]["b"] == "detected"
    assert found["language_source"].isna().tolist() == [True, False, True]
    assert found["lines"]["b"].index("primera") < found["lines"]["b"].index("segunda")
    assert "gracias" not in found["lines"]["b"]
    assert pd.isna(found["lines"]["c"])
    probed = pd.DataFrame(
        {"source_id": ["a", "b", "c"], "reject": [None, None, "silent"], "duration_s": 1.0}
    )
    assert list(to_transcribe(frame, probed, "missing")["source_id"]) == ["b"]
    assert list(to_transcribe(frame, probed, "all")["source_id"]) == ["a", "b"]


# --- error rate --------------------------------------------------------------------------------


def test_words_and_errors() -> None:
    assert wer.words("L'été, c'est FINI — 2 fois!") == ["l'été", "c'est", "fini", "2", "fois"]
    assert wer.errors(["a", "b", "c", "d"], ["a", "x", "c", "d", "e"]) == 2
    frame = wer.error_rates(
        {
            "1": ("One", "en", "the river runs"),
            "2": ("Two", "es", "la luna"),
            "3": ("Instrumental", "es", "♪"),
        },
        {"1": "The river ran!"},
    )
    assert list(frame["wer"]) == [pytest.approx(1 / 3), 1.0]
    whole = wer.overall(frame).set_index("language")
    assert whole["wer"]["all"] == pytest.approx(3 / 5)
    assert whole["songs"]["all"] == 2


def test_jamendolyrics_against_itself_has_no_errors(jamendolyrics: Path) -> None:
    texts = sorted((jamendolyrics / "lyrics").glob("*.txt"))[:4]
    assert texts
    references = {path.stem: (path.stem, "en", path.read_text(encoding="utf-8")) for path in texts}
    heard = {name: text.upper() for name, (_, _, text) in references.items()}
    frame = wer.error_rates(references, heard)
    assert len(frame) == len(texts)
    assert float(frame["wer"].max()) < 0.02
    silent = wer.error_rates(references, {})
    assert (silent["wer"] == 1.0).all()


# --- the workflow ------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_run_fills_in_lyrics_and_measures_them(tmp_path: Path, folder: Path) -> None:
    write_corpus(tmp_path / "songs")
    removed = sorted((tmp_path / "songs").rglob("*.txt"))[0]
    removed.unlink()
    credulous = "no_speech: 0.99, log_probability: -99.0, compression_ratio: 99.0, songs: all"
    settings = SMALL + (
        "corpus_path: songs\ninclude: [mean_mel]\n"
        f"transcription: {{include: true, language: es, {credulous}}}\n"
        f"pretrained: {{device: cpu, weights: {{whisper: {folder}}}}}\n"
    )
    (tmp_path / "small.yaml").write_text(settings, encoding="utf-8")
    run = ("--configfile", "small.yaml", "--")
    snakemake(tmp_path, *run, "corpus_tables", "wer")
    results = tmp_path / "results" / "small"
    tracks = tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)
    counts = tracks["lyrics_source"].value_counts()
    assert counts["transcribed"] == 1
    assert tracks.loc[tracks["lyrics_source"] == "transcribed", "lyrics"].notna().all()
    rates = pd.read_csv(results / "tables" / "wer.csv")
    assert len(rates) == len(tracks) - 1
    assert (rates["wer"] > 0.5).all(), "random weights know no words"
    careful = settings.replace(credulous, "songs: all")
    (tmp_path / "small.yaml").write_text(careful, encoding="utf-8")
    snakemake(tmp_path, *run, "corpus_tables")
    tracks = tables.read(results / "corpus" / "tracks.parquet", tables.TRACKS)
    assert "transcribed" not in set(tracks["lyrics_source"])
