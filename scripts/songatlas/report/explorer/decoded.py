"""Decoded sounds beside the page: the models' files, and what each file is."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from songatlas.report.explorer import scripts
from songatlas.report.explorer.catalogue import Catalogue
from songatlas.report.explorer.sound_list import read_list, sound_name


def write_decoded(
    names: Sequence[str],
    sounds: Mapping[str, str],
    not_decoded: Mapping[str, str],
    found: Catalogue,
    folder: Path,
) -> list[str] | None:
    """Copy the sounds of the models to `decoded/<number>/`, and write what they are for the page.

    Args:
        names: of all models, in the page's order.
        sounds: folder of each model's sounds; none where the explorer has no decoded sounds.
        not_decoded: why the others have none.

    Returns:
        By model why it has no sounds, empty where it has some; None without decoded sounds.
    """
    if not sounds:
        return None
    notes = []
    for number, name in enumerate(names):
        if name not in sounds:
            notes.append(not_decoded[name])
            continue
        listed = read_list(sounds[name])
        notes.append(listed["note"])
        for sound in range(len(listed["sounds"])):
            copy = folder / "decoded" / str(number) / sound_name(sound)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(sounds[name]) / sound_name(sound), copy)
        scripts.write(
            folder / f"data/decoded-{number}.js", f"decoded-{number}", _for_page(listed, found)
        )
    return notes


def _for_page(listed: dict[str, Any], found: Catalogue) -> dict[str, Any]:
    """The list with rows of the page's windows instead of window_ids."""
    rows = found.window_rows([sound["near"] for sound in listed["sounds"]])
    numbered = zip(listed["sounds"], rows, strict=True)
    sounds = [{**sound, "near": int(row)} for sound, row in numbered]
    return {**listed, "sounds": sounds}
