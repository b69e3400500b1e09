"""The table of performance, from what the benchmarks left under results/benchmarks.

    python tests/benchmarks/table.py

Prints Markdown: what, at least (or at most), measured with its least and largest turn, and whether
it is reached. A benchmark that has not run is said to be missing.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from harness import FOLDER

Row = tuple[str, str, str, bool | None]


def read(name: str) -> dict[str, Any] | None:
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def ratio_row(what: str, least: float, found: dict[str, Any]) -> Row:
    measured = f"{found['ratio']:.2f}× ({found['least']:.2f} to {found['largest']:.2f})"
    return what, f"{least:g}×", measured, found["ratio"] >= least


def extraction(found: dict[str, Any]) -> Iterator[Row]:
    yield ratio_row(
        "decode to parquet, MFCC and both derivatives on read, per core",
        1.8,
        found["decode_to_parquet_and_mfcc_on_read"],
    )
    yield ratio_row("decode to parquet, log-mel alone, per core", 1.8, found["decode_to_parquet"])
    yield ratio_row("log-mel to parquet without decoding", 2.5, found["without_decoding"])
    yield ratio_row(
        "the same, MFCC and both derivatives on read",
        2.5,
        found["without_decoding_and_mfcc_on_read"],
    )
    yield ratio_row("two cores against one", 1.8, found["two_cores_against_one"])
    stored = found["stored"]
    yield (
        "bytes on disk against float32 of everything",
        "≤ 0.25",
        f"{stored['share']:.3f}",
        stored["share"] <= 0.25,
    )
    yield (
        "error of log-mel",
        "< 0.05 dB",
        f"{stored['largest_error_db']:.3f} dB",
        stored["largest_error_db"] < 0.05,
    )


def steps(found: dict[str, Any]) -> Iterator[Row]:
    least = 3.0 if found["precision"] == "bf16-mixed" else 1.5
    for name, row in found["models"].items():
        if row["convolutional"]:
            yield ratio_row(f"optimiser step of {name}, {found['precision']}", least, row)


def epoch(found: dict[str, Any]) -> Iterator[Row]:
    for name, row in found["models"].items():
        share = row["outside"]
        yield f"epoch of {name} outside its passes", "≤ 5%", f"{share:.1%}", share <= 0.05
        gb = row["data_mb"] / 1024
        yield (
            f"memory of {row['windows']} windows, {name}",
            "≤ 1.5 GB",
            f"{gb:.2f} GB",
            gb <= 1.5,
        )


def precision(found: dict[str, Any]) -> Iterator[Row]:
    for name, row in found["models"].items():
        worst = max(row["difference_after_5_epochs"].values())
        yield f"bf16 and fp32 after 5 epochs, {name}", "≤ 1%", f"{worst:.2%}", worst <= 0.01


def jobs(found: dict[str, Any]) -> Iterator[Row]:
    wall = sorted(found["dry_run_wall_s"])[len(found["dry_run_wall_s"]) // 2]
    yield "`snakemake -n` on a finished demo", "≤ 5 s", f"{wall:.1f} s", wall <= 5.0
    beside = found["beside_the_jobs_own_clock"]
    largest = beside["largest_median_s"] + found["own_imports_of_a_training_s"]
    text = f"{beside['median_s']:.2f} s (a rule at most {largest:.2f} s)"
    yield "a job beside third-party imports", "≤ 1.5 s", text, largest <= 1.5


def million(found: dict[str, Any]) -> Iterator[Row]:
    what = f"k-means and scores of {found['latents']:,} × 128, two cores"
    measured = f"{found['wall_s'] / 60:.1f} min, {found['peak_mb'] / 1024:.1f} GB"
    met = found["wall_s"] < 600 and found["peak_mb"] < 6 * 1024
    yield what, "10 min, 6 GB", measured, met


SOURCES: dict[str, Callable[[dict[str, Any]], Iterator[Row]]] = {
    "extraction": extraction,
    "steps": steps,
    "steps_without_bf16": steps,
    "epoch": epoch,
    "precision": precision,
    "jobs": jobs,
    "clustering_1000000_1000000": million,
}


def main() -> None:
    print("| what | asked | measured | reached |")
    print("| --- | --- | --- | --- |")
    missing = []
    for name, rows in SOURCES.items():
        found = read(name)
        if found is None:
            missing.append(name)
            continue
        for what, asked, measured, met in rows(found):
            print(f"| {what} | {asked} | {measured} | {'yes' if met else '**no**'} |")
    if missing:
        print(f"\nNot measured: {', '.join(missing)}.")


if __name__ == "__main__":
    main()
