"""Measure the representations of the default configs on real music (`make real-music`).

    python docs/real_music.py [--finished]

Runs `config/folder.yaml` with five seeds on every corpus of docs/real_music.yaml and writes
docs/real_music.md from the runs' tables. With `--finished` nothing is run: the page is of the runs
that are there.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from songatlas import tables
from songatlas.clustering.views import named_by_view
from songatlas.config.evaluation import Evaluation
from songatlas.report.figures.comparison import (
    TASK_NAMES,
    class_counts,
    clustered_songs,
    intervals,
    read_comparison,
)

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
TASKS = ("language", "genre")
SEEDS = "0,1,2,3,4"

PAGE = """# The default representations on real music

What `config/library.yaml`, `folder.yaml` and `manifest.yaml` run, on music that was recorded, not
synthesised (`make real-music` writes this page; its corpora: [real_music.yaml](real_music.yaml)).

NMI of clusters of songs with labels at k = number of classes, mean ± standard deviation over
k-means, Ward and a mixture of Gaussians (of models also over the seeds {seeds}; a baseline has one
seed). The ends of the 95% bootstrap intervals over songs are averaged over the same
clusterings. Chance: the same clusterings under permuted labels; **compare with it, not with 0**.
n: songs that a representation has vectors of. `elsewhere`: weights that were trained on other
people's labels, and may have heard some of these songs. What reads audio and lyrics has three
views.

{table}

{absent}## On your own copy, and on GTZAN

One corpus takes one command, here GTZAN as mirdata downloads it; the numbers stand in
`results/gtzan/tables/comparison.md`:

```console
$ snakemake --cores all --resources gpu=1 --configfile config/folder.yaml \\
    --config run=gtzan seeds={seeds} corpus=mirdata:gtzan_genre corpus_path=FOLDER
```

With an entry of its own in `docs/real_music.yaml` it is part of this page. GTZAN itself was not
run; the clips above are cut from it. Their table of songs has the columns that
`config/manifest.yaml` names (`audio_path` and `genre`; the others are empty).

## What was looked at before

No corpus here is unseen: all were at hand while defaults were chosen.

- By the songs that windows of the 19 songs belong to, with the genres of the clips in view: how
  the layers of `musicnn` are made comparable ([encoders.md](encoders.md)).
- On the clips without their genres, by the bound on held-out songs: how `vade_musicnn` starts, and
  its dropout. Its 50 starts of k-means were chosen beside the genres.
- On the 88 songs without labels, by the same bound: how `multimodal_vade` starts. Its 200 starts
  of k-means were chosen beside the languages ([latents.md](latents.md#models-of-what-is-known)).
- No choice on these corpora is recorded for `descriptors`, `descriptors_unit`, `lyrics_tfidf`,
  `language_id` and `e5`.

Genres of GTZAN have known faults (copies, wrong labels). UltraStar's nine songs are all in English
and three of them have a genre, so they are scored together with JamendoLyrics'. Of the 88 songs
most have lyrics alone, and most of their genres have few songs: read the intervals.
"""


def measure(run: str, config: Mapping[str, Any]) -> None:
    """Run the default config on one corpus up to its comparison.

    Raises:
        subprocess.CalledProcessError: when a job fails; Snakemake has said which.
    """
    settings = {"run": run, "seeds": SEEDS, **config}
    told = [
        f"{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in settings.items()
    ]
    command = ["snakemake", "--cores", "all", "--resources", "gpu=1"]
    command += ["--configfile", "config/folder.yaml", "--config", *told]
    subprocess.run([*command, "--", f"results/{run}/tables/comparison.csv"], cwd=ROOT, check=True)


def scored(folder: Path) -> pd.DataFrame:
    """Song-level rows of the comparison of the run in `folder`, with the `low` and `high` of NMI.

    Raises:
        TableError: when a table of the run is missing.
    """
    labels = tables.read(folder / "corpus" / "labels.parquet", tables.LABELS)
    rows = named_by_view(read_comparison(folder / "tables" / "comparison.csv"))
    files = sorted((folder / "scores").glob("*/seed-*.parquet"))
    scores = named_by_view(pd.concat([tables.read(path, tables.SCORES) for path in files]))
    clusters = sorted((folder / "clusters").glob("*/seed-*.parquet"))
    classes = class_counts(clustered_songs(clusters), labels, TASKS)
    # As of one training: bounds of all seeds are averaged.
    bounds = intervals(scores.assign(seed=0), classes, Evaluation().summary_algorithms)
    rows = rows[rows["task"].isin(TASKS) & (rows["level"] == "song")]
    rows = rows.merge(bounds, on=["model", "task", "level"], how="left")
    return rows.merge(classes, on=["model", "task", "level"], how="left")


def lines(title: str, rows: pd.DataFrame) -> list[str]:
    """Lines of the table of one corpus, the furthest above chance first in every task."""
    found = []
    rows = rows[rows["nmi_mean"].notna()]
    rows = rows.assign(above=rows["nmi_mean"] - rows["chance_nmi"])
    for task in TASKS:
        of_task = rows[rows["task"] == task].sort_values("above", ascending=False)
        for row in of_task.to_dict("records"):
            corpus = f"{title}: {TASK_NAMES[task].lower()}, k = {row['classes']:.0f}"
            spread = "" if pd.isna(row["nmi_sd"]) else f" ± {row['nmi_sd']:.3f}"
            cells = (
                corpus,
                f"`{row['model']}`",
                row["supervision"],
                f"{row['n']}",
                f"{row['nmi_mean']:.3f}{spread}",
                f"{row['low']:.3f} to {row['high']:.3f}",
                f"{row['chance_nmi']:.3f}",
                f"{row['ami_mean']:.3f}",
            )
            found.append(f"| {' | '.join(cells)} |")
    return found


def not_scored(title: str, rows: pd.DataFrame) -> list[str]:
    """What has no line in the table, by task, with the reason."""
    missing = rows[rows["nmi_mean"].isna()]
    return [
        f"- {title}, {task}: {', '.join(f'`{name}`' for name in group['model'])} ({note})."
        for (task, note), group in missing.groupby(["task", "note"], sort=False)
    ]


def page(corpora: Mapping[str, Mapping[str, Any]]) -> str:
    """docs/real_music.md from the finished runs."""
    head = [
        "| corpus, labels | representation | supervision | n | NMI | 95% interval | chance | AMI |",
        "| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    body, absent = [], []
    for run, corpus in corpora.items():
        rows = scored(ROOT / "results" / run)
        body += lines(corpus["title"], rows)
        absent += not_scored(corpus["title"], rows)
    without = "Not scored:\n\n" + "\n".join(absent) + "\n\n" if absent else ""
    return PAGE.format(table="\n".join([*head, *body]), absent=without, seeds=SEEDS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--finished", action="store_true", help="write the page of finished runs")
    given = parser.parse_args()
    corpora = yaml.safe_load((HERE / "real_music.yaml").read_text(encoding="utf-8"))
    if not given.finished:
        for run, corpus in corpora.items():
            try:
                measure(run, corpus["config"])
            except subprocess.CalledProcessError:
                sys.exit(
                    f"docs/real_music.yaml: the run of `{run}` failed (above); correct its "
                    "`config`, or take the corpus out of the list"
                )
    (HERE / "real_music.md").write_text(page(corpora), encoding="utf-8")


if __name__ == "__main__":
    main()
