"""Whether names of clusters say what is in them: genres that were given, beside names.

    python tests/benchmarks/cluster_names.py RUN [MODEL]

RUN is the folder of a finished run of songs with genres (results/genreclips), MODEL a
representation (musicnn). Its consensus clustering at as many clusters as there are genres is named;
a name is right where it holds the majority genre of its cluster, or a synonym of
`genre_synonyms.csv`, which was written before any name was seen.
"""

import sys
from pathlib import Path

import pandas as pd

from songatlas import tables
from songatlas.clustering.levels import points_of
from songatlas.config.clustering import Clustering
from songatlas.config.evaluation import Evaluation
from songatlas.config.words import Names
from songatlas.evaluation.consensus import consensus_at
from songatlas.words.write import NAMED, Groups, measures_of, name_clusters, parts_of

SYNONYMS = Path(__file__).with_name("genre_synonyms.csv")


def named_clusters(run: Path, model: str) -> pd.DataFrame:
    """A row per cluster: `songs, genre, share, name, right`."""
    views = run / "corpus" / "views"
    source = {
        "tracks": views / "songs.parquet",
        "classes": views / "shown.parquet",
        "windows": views / "audio_windows.parquet",
        "descriptors": sorted((run / "features" / "descriptors").glob("part-*")),
        "tags": sorted((run / "features" / "musicnn").glob("songs-*")),
    }
    texts, of = measures_of(source, Names(), None, None)
    latents = tables.read(run / "latents" / model / "seed-0.parquet", tables.LATENTS)
    points = points_of(latents, "song")
    genres = tables.read(views / "shown.parquet", tables.LABELS).set_index("track_id")["genre"]
    own = genres.reindex(list(points.track_ids)).to_numpy(object)
    k, clustering = len(set(own)), Clustering()
    labels = consensus_at([points.z], k, clustering, 0).labels
    assert labels is not None
    groups = Groups(model, points.track_ids, points.z, labels)
    at = pd.Index(texts["track_id"]).get_indexer(pd.Index(points.track_ids))
    frame = name_clusters(
        groups, of.rows(at), tables.empty(NAMED), Names(), clustering, Evaluation().seed
    )[1]
    synonyms = pd.read_csv(SYNONYMS).set_index("genre")["synonyms"].str.split(";")
    counts = pd.crosstab(labels, own)
    frame["genre"] = counts.idxmax(axis=1).to_numpy()
    frame["share"] = (counts.max(axis=1) / counts.sum(axis=1)).to_numpy()
    frame["right"] = [
        bool(set(parts_of(name)) & {genre, *synonyms.get(genre, [])})
        for name, genre in zip(frame["name"], frame["genre"], strict=True)
    ]
    return frame[["songs", "genre", "share", "name", "right"]]


if __name__ == "__main__":
    found = named_clusters(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "musicnn")
    print(found.round(2).to_string(index=False))
    sure = found[found["name"] != "unsure"]
    print(f"{int(found['right'].sum())} of {len(found)} right, {len(found) - len(sure)} unsure")
