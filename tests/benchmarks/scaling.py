"""Measure the workflow at 10^3 ... 10^6 simulated songs; numbers go into one JSON file.

    python tests/benchmarks/scaling.py plan --songs 1000000 --folder FOLDER --json docs/scaling.json
    python tests/benchmarks/scaling.py stream --folder FOLDER --json docs/scaling.json

`plan`: manifest, corpus tables and shards are written without audio; `snakemake --dry-run` then
plans from the manifest alone, and once more with the corpus known. `stream`: rates of feature
shards without a corpus in memory, of embedding, of training steps, and bytes on disk.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
import pandas as pd
from harness import ROOT, watch

from songatlas import tables
from songatlas.config.features import LogMel
from songatlas.config.corpus import Split, Windows
from songatlas.corpus import simulated
from songatlas.corpus.build import write_corpus
from songatlas.corpus.probe import PROBED
from songatlas.corpus.shards import shard_name, shard_of
from songatlas.corpus.views import write_views

RUN = "simulated"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("plan", "stream"):
        command = commands.add_parser(name)
        command.add_argument("--folder", type=Path, required=True, help="where files are written")
        command.add_argument("--json", type=Path, required=True, help="where numbers are added")
    commands.choices["plan"].add_argument("--songs", type=int, required=True)
    commands.choices["stream"].add_argument("--windows", type=int, default=640)
    commands.choices["stream"].add_argument("--audio", type=Path, help="a folder of songs")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.command == "plan":
        found = plan(arguments.songs, arguments.folder)
        _record(arguments.json, "plan", {str(arguments.songs): found})
    else:
        _record(
            arguments.json, "rates", stream(arguments.windows, arguments.folder, arguments.audio)
        )


def plan(songs: int, folder: Path) -> dict[str, object]:
    """Seconds and memory of planning a run of so many songs, before and after its corpus stage."""
    shards = simulated.shards_for(songs)
    settings = [f"run={RUN}", "corpus=manifest", "corpus_path=manifest.csv", f"shards={shards}"]
    seen = simulated.sources(songs)
    simulated.write_manifest(seen, folder / "manifest.csv")
    found: dict[str, object] = {"songs": songs, "shards": shards, "load": os.getloadavg()[0]}
    found["from_manifest"] = _dry_run(folder, settings)
    started = time.monotonic()
    results = folder / "results" / RUN / "corpus"
    probed = simulated.probed(seen)
    nothing = tables.empty(tables.REJECTS), tables.empty(tables.WARNINGS)
    listing = {"listing": "simulated"}
    tables.write(seen, results / "sources.parquet", tables.SOURCES, listing)
    tables.write(nothing[0], results / "sources-rejects.parquet", tables.REJECTS)
    tables.write(nothing[1], results / "sources-warnings.parquet", tables.WARNINGS)
    which = seen.merge(probed, on="source_id")
    places = {name: results / "probed" / f"{shard_name(name)}.parquet" for name in range(shards)}
    keys = which["audio_path"].map(lambda key: shard_of(key, shards))
    for shard, part in which.groupby(keys):
        tables.write(part[list(PROBED.columns)], places.pop(int(shard)), PROBED)
    for path in places.values():
        tables.write(tables.empty(PROBED), path, PROBED)
    begun = time.monotonic()
    built = simulated.corpus(seen, probed, Windows(), Split())
    names = ("tracks", "labels", "windows", "lines", "notes", "rejects", "warnings")
    outputs = {name: results / f"{name}.parquet" for name in names}
    of_shards = [f"{shard_name(shard)}.parquet" for shard in range(shards)]
    write_corpus(built, outputs, [results / "shards" / name for name in of_shards])
    names = ("songs", "audio_windows", "language", "genre", "classes", "titles", "factors")
    outputs = {name: results / "views" / f"{name}.parquet" for name in names}
    write_views(built, outputs, [results / "views" / "shards" / name for name in of_shards])
    found["corpus_s"] = round(time.monotonic() - begun, 1)
    found["generated_s"] = round(time.monotonic() - started, 1)
    found["windows"] = len(built.windows)
    found["corpus_bytes"] = sum(p.stat().st_size for p in results.rglob("*.parquet"))
    found["with_corpus"] = _dry_run(folder, settings)
    return found


def _dry_run(folder: Path, settings: list[str]) -> dict[str, object]:
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--cores", "1", "--resources", "gpu=1", "--dry-run", "--quiet", "rules"]
    command += ["--config", *settings]
    found, output = watch(command, cwd=folder)
    totals = [line.split()[1] for line in output.splitlines() if line.startswith("total ")]
    return {
        "wall_s": round(found["wall_s"], 1),
        "cpu_s": round(found["cpu_s"], 1),
        "peak_mb": found["peak_mb"],
        "jobs": int(totals[0]) if totals else None,
    }


def stream(windows: int, folder: Path, audio: Path | None) -> dict[str, object]:
    """Rates of one core over a feature shard that is read row group by row group.

    Features are those of the songs under `audio`, decoding included.
    """
    import torch

    from songatlas.models import registry
    from songatlas.models.base import InputSpec
    from songatlas.training.data import prepare

    torch.set_num_threads(1)
    logmel, cut = LogMel(), Windows()
    part = folder / "part-00.parquet"
    ids = [f"{number:016x}-0000" for number in range(windows)]
    simulated.write_logmel_part(ids, part, logmel, cut.length_s)
    size = part.stat().st_size
    os.sync()
    started = time.monotonic()
    rows = sum(len(block) for _, block in tables.iter_feature([part]))
    read_s = time.monotonic() - started
    shape = (logmel.n_mels, logmel.n_frames(cut.length_s))
    found: dict[str, object] = {
        "device": "cpu, 1 thread",
        "load": os.getloadavg()[0],
        "window": list(shape),
        "bytes_per_window_logmel": size / windows,
        "read_windows_per_s": rows / read_s,
    }
    found["hop_s"] = cut.hop_s
    vectors = np.random.default_rng(0).standard_normal((windows, 128), dtype=np.float32)
    latents = tables.latents_frame(
        "window", ids, [i[:16] for i in ids], ["train"] * windows, vectors
    )
    tables.write(latents, folder / "latents.parquet", tables.LATENTS)
    found["bytes_per_window_latent"] = (folder / "latents.parquet").stat().st_size / windows
    if audio is not None:
        found |= _features(audio, folder, logmel, cut)
    spec = InputSpec(*shape, 0, 0)
    for name in ("conv_vae", "attention_vae"):
        torch.manual_seed(0)
        model = registry.build(name, spec, 128, {})
        optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4)
        for what in ("train", "embed"):
            model.train(what == "train")
            done, started = 0, time.monotonic()
            for _, block in tables.iter_feature([part]):
                for start in range(0, len(block), 32):
                    mel = torch.from_numpy(np.array(block[start : start + 32]))
                    batch = prepare({"mel": mel, "has_mel": torch.ones(len(mel), dtype=torch.bool)})
                    if what == "train":
                        optimiser.zero_grad()
                        sum(model.loss(batch, kl_weight=1.0, scale="elbo").values()).backward()
                        optimiser.step()
                    else:
                        with torch.inference_mode():
                            model.embed(batch)
                    done += len(mel)
                if time.monotonic() - started > 40:
                    break
            found[f"{what}_windows_per_s_{name}"] = done / (time.monotonic() - started)
    part.unlink()
    return found


def _features(audio: Path, folder: Path, logmel: LogMel, cut: Windows) -> dict[str, object]:
    """Decoding and features of real songs by the code of `assign`: rates per CPU second."""
    import shutil

    from songatlas.new_songs.songs import read_songs

    nobody = pd.DataFrame({"track_id": [], "source_id": []}, dtype=str)
    # As a folder of songs: whatever the data set's layout.
    flat = folder / "songs" / "xx" / "songs"
    shutil.rmtree(folder / "songs", ignore_errors=True)
    flat.mkdir(parents=True)
    for song in sorted(audio.rglob("*.mp3")):
        shutil.copy(song, flat / song.name)
    found: dict[str, object] = {}
    settings = {"logmel": logmel.model_dump(), "length_s": cut.length_s}
    for features in ({"logmel": settings}, {"descriptors": settings}):
        read_songs("folder", str(flat.parents[1]), nobody, folder, features, cut)  # warm
        begun, cpu = time.monotonic(), time.process_time()
        songs = read_songs("folder", str(flat.parents[1]), nobody, folder, features, cut)
        wall, used = time.monotonic() - begun, time.process_time() - cpu
        assert songs.corpus is not None
        seconds = float(songs.corpus.tracks["duration_s"].sum())
        prefix = "" if "logmel" in features else "descriptors_"
        found[f"{prefix}features_windows_per_s"] = len(songs.corpus.windows) / used
        found[f"{prefix}times_real_time_per_core"] = seconds / used
        found[f"{prefix}times_real_time_wall"] = seconds / wall
        found["song_seconds"] = seconds
    return found


def _record(path: Path, key: str, found: dict[str, object]) -> None:
    known = json.loads(path.read_text()) if path.is_file() else {}
    known[key] = {**known.get(key, {}), **found}
    path.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
