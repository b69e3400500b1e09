"""Captions by ear: an audio language model on a tiny checkpoint, and what of it is believed."""

from pathlib import Path

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
from songatlas.config.words import Names
from songatlas.errors import SongatlasError
from songatlas.extras.by_ear import (
    COLUMNS,
    WRITTEN,
    excerpts,
    keys,
    objection,
    tempi_bpm,
    write_captions_by_ear,
    write_of_songs,
)
from songatlas.extras.listener import EXCERPT_S, Listener, load_listener

torch.set_num_threads(1)

MEASURED = "108 BPM, B major, smooth, sung in en."
RATE_HZ = 16_000

# --- what is believed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("A gentle folk song with a woman's voice and an acoustic guitar.", None),
        ("A slow ballad at 54 BPM in B major.", None),
        ("Rock at about 110 beats per minute.", None),
        ("Techno at 132 bpm.", "another tempo than measured"),
        ("At 108 BPM, later 140 BPM.", "another tempo than measured"),
        ("A song in B minor.", "another key than measured"),
        ("A song in C♭ major.", None),
        ("A song in G sharp major.", "another key than measured"),
        ("A song in a minor key.", None),
        ("music and " * 30, "repeats itself"),
        (" ... 12 ", "says nothing"),
        ("", "says nothing"),
    ],
)
def test_a_caption_that_contradicts_what_was_measured_is_not_believed(
    caption: str, reason: str | None
) -> None:
    assert objection(caption, MEASURED) == reason


def test_what_was_not_measured_is_not_contradicted() -> None:
    assert objection("Techno at 132 BPM in F minor.", "dark, noisy.") is None


def test_tempi_and_keys_of_a_text() -> None:
    assert tempi_bpm("from 99.5 BPM to 120 beats per minute, in 1999") == [99.5, 120.0]
    assert keys("A♭ major, then F# minor; E-flat major") == [
        (8, "major"),
        (6, "minor"),
        (3, "major"),
    ]
    assert keys("A minor key, a major label") == []


# --- the model ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_encoders.checkpoint("qwen2-audio-instruct", tmp_path_factory.mktemp("weights"))


def loaded(name: str, folder: Path) -> Listener:
    return load_listener(name, Pretrained(weights={name: str(folder)}, device="cpu"))


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = round(seconds * RATE_HZ)
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        (
            "qwen2-audio",
            f"<|audio_bos|><|AUDIO|><|audio_eos|>What is this? Measured: {MEASURED}\n",
        ),
        (
            "qwen2-audio-instruct",
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
            "Audio 1: <|audio_bos|><|AUDIO|><|audio_eos|>\n"
            f"What is this? Measured: {MEASURED}<|im_end|>\n<|im_start|>assistant\n",
        ),
    ],
)
def test_it_writes_what_the_published_way_of_asking_gives(
    folder: Path, name: str, prompt: str
) -> None:
    wave = noise(7.0)
    said = loaded(name, folder).describe(wave, "What is this?", MEASURED, 12)
    # The same by transformers alone, the prompt written out and each token chosen by hand.
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(folder).eval()
    inputs = processor(text=prompt, audio=wave, sampling_rate=RATE_HZ, return_tensors="pt")
    ids, silenced = inputs["input_ids"], model.generation_config.suppress_tokens
    begun = ids.shape[1]
    for _ in range(12):
        with torch.no_grad():
            logits = model(
                input_ids=ids,
                attention_mask=torch.ones_like(ids),
                input_features=inputs["input_features"],
                feature_attention_mask=inputs["feature_attention_mask"],
            ).logits[0, -1]
        logits[silenced] = -torch.inf
        ids = torch.cat([ids, logits.argmax()[None, None]], dim=1)
    assert said == processor.tokenizer.decode(ids[0, begun:])
    assert len(said) == 12


def test_it_hears_thirty_seconds_and_what_it_writes_depends_on_them(folder: Path) -> None:
    listener = loaded("qwen2-audio", folder)
    long = noise(EXCERPT_S + 5.0)
    said = listener.describe(long, "What?", "", 12)
    assert said == listener.describe(long[: round(EXCERPT_S * RATE_HZ)], "What?", "", 12)
    assert said != listener.describe(np.zeros_like(long), "What?", "", 12)


def test_what_cannot_be_used_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"names\.listener: `clap` writes no captions; there is qw"
    ):
        Config(names={"listener": "clap"})
    whisper = tiny_encoders.checkpoint("whisper", tmp_path)
    with pytest.raises(SongatlasError, match="weights of `whisper`, where `qwen2_audio` is"):
        loaded("qwen2-audio", whisper)
    (tmp_path / "empty").mkdir()
    with pytest.raises(SongatlasError, match="is no whole checkpoint of Qwen2-Audio"):
        loaded("qwen2-audio", tmp_path / "empty")


# --- songs -------------------------------------------------------------------------------------


class Ears:
    """A listener that says how long what it hears is, and how loud it begins."""

    sample_rate_hz = RATE_HZ

    def describe(self, wave: np.ndarray, request: str, measured: str, tokens: int) -> str:
        tempo = " at 50 BPM" if wave[0] < 0 else ""
        return f"{request} {len(wave) / RATE_HZ:g} s{tempo}"


def shard(folder: Path) -> pd.DataFrame:
    """Two songs that can be read, in two windows each, and one that cannot."""
    rows = []
    for name, level in (("up", 0.5), ("down", -0.5), ("broken", 0.0)):
        path = folder / f"{name}.wav"
        if name == "broken":
            path.write_bytes(b"RIFFnothing")
        else:
            ramp = level * np.linspace(0.5, 1.0, 40 * RATE_HZ)
            soundfile.write(path, ramp + noise(40.0) / 100.0, RATE_HZ)
        for number in range(2):
            start = 20.0 * number
            rows.append((f"{name}:{number}", name, str(path), start, start + 20.0))
    return pd.DataFrame(rows, columns=list(tables.SHARD.columns))


def test_the_middle_of_a_song_is_heard_and_a_broken_song_stops_nothing(tmp_path: Path) -> None:
    songs = excerpts(shard(tmp_path), 30.0)
    assert list(songs["track_id"]) == ["broken", "down", "up"]
    assert list(songs["start_s"]) == [5.0] * 3
    assert list(songs["length_s"]) == [30.0] * 3
    short = excerpts(shard(tmp_path).query("start_s == 0"), 30.0)
    assert list(short["start_s"]) == [0.0] * 3
    assert list(short["length_s"]) == [20.0] * 3
    facts = {"up": MEASURED, "down": MEASURED}
    settings = Names(request="Say.", caption_tokens=5)
    frame = write_of_songs(songs.itertuples(index=False), facts, Ears, settings)
    found = frame.set_index("track_id")
    assert found["text"]["up"] == "Say. 30 s"
    assert pd.isna(found["reason"]["up"])
    assert found["reason"]["down"] is None or found["text"]["down"].endswith("at 50 BPM")
    assert "broken.wav" in found["reason"]["broken"]
    tables.write(frame, tmp_path / "part.parquet", WRITTEN)
    template = pd.DataFrame(
        {
            "track_id": ["broken", "down", "gone", "up"],
            "title": ["B", "", "G", "<b>U</b>"],
            "caption": MEASURED,
        }
    )
    template.to_csv(tmp_path / "captions.csv", index=False)
    said = write_captions_by_ear(
        [tmp_path / "part.parquet"],
        tmp_path / "captions.csv",
        listener="qwen2-audio",
        csv=str(tmp_path / "by_ear.csv"),
        md=str(tmp_path / "by_ear.md"),
    )
    assert said.startswith("2 of 4 captions by qwen2-audio")
    final = pd.read_csv(tmp_path / "by_ear.csv").set_index("track_id")
    assert [*final.reset_index().columns] == list(COLUMNS)
    assert final["caption"]["up"] == "Say. 30 s"
    assert list(final["source"]) == ["template", "qwen2-audio", "template", "qwen2-audio"]
    assert final["caption"]["gone"] == final["caption"]["broken"] == MEASURED
    assert "<b>" not in (tmp_path / "by_ear.md").read_text(encoding="utf-8")


def test_a_contradicting_caption_leaves_the_measured_one(tmp_path: Path) -> None:
    songs = excerpts(shard(tmp_path).query("track_id == 'down'"), 30.0)
    facts = {"down": "80 BPM."}
    frame = write_of_songs(songs.itertuples(index=False), facts, Ears, Names())
    assert list(frame["reason"]) == ["another tempo than measured"]


def test_nothing_to_do_loads_nothing() -> None:
    def load() -> None:
        raise AssertionError("loaded")

    assert write_of_songs([], {}, load, Names()).empty


@pytest.mark.slow
def test_a_run_has_captions_by_ear(tmp_path: Path, folder: Path) -> None:
    write_corpus(tmp_path / "songs")
    settings = SMALL + "corpus_path: songs\ninclude: [mean_mel]\n"
    (tmp_path / "small.yaml").write_text(settings, encoding="utf-8")
    refused = snakemake(tmp_path, "--configfile", "small.yaml", "--", "captions", check=False)
    assert "names.listener: name the audio language model" in refused.stdout + refused.stderr
    settings += (
        f"names: {{listener: qwen2-audio, caption_tokens: 12}}\n"
        f"pretrained: {{device: cpu, weights: {{qwen2-audio: {folder}}}}}\n"
    )
    (tmp_path / "small.yaml").write_text(settings, encoding="utf-8")
    snakemake(tmp_path, "--configfile", "small.yaml", "--", "captions")
    frame = pd.read_csv(tmp_path / "results" / "small" / "tables" / "captions_by_ear.csv")
    assert len(frame) == 12
    assert set(frame["source"]) == {"qwen2-audio"}
    assert (frame["caption"].str.len() == 12).all()
