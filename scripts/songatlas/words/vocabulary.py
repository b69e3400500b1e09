"""The tags that a joint model of audio and texts may give a cluster, and how it is asked.

`resources/vocabulary.csv` holds them in four languages. Genres, moods and instruments are common
ones among the tags of the MTG-Jamendo data set (Bogdanov et al. 2019); the translations are ours.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from songatlas.config.words import PromptLanguage
from songatlas.files import PROJECT

PATH = PROJECT / "resources" / "vocabulary.csv"

TEMPLATES: dict[PromptLanguage, tuple[str, ...]] = {
    "en": ("{}", "{} music", "a song with the tag {}", "this music is described as {}"),
    "es": ("{}", "música {}", "una canción con la etiqueta {}"),
    "fr": ("{}", "musique {}", "une chanson avec le mot-clé {}"),
    "de": ("{}", "Musik: {}", "ein Lied mit dem Schlagwort {}"),
}
"""Prompts by language; a tag is the mean over all of them (Radford et al. 2021)."""


@dataclass(frozen=True)
class Tag:
    """A word for music, and the prompts that ask for it."""

    name: str
    kind: str
    prompts: tuple[str, ...]


def tags(languages: Sequence[PromptLanguage]) -> tuple[Tag, ...]:
    """Every tag with its prompts in some languages."""
    rows = pd.read_csv(PATH, dtype=str, keep_default_na=False).to_dict("records")
    return tuple(
        Tag(
            row["tag"],
            row["kind"],
            tuple(
                template.format(row[language])
                for language in languages
                for template in TEMPLATES[language]
            ),
        )
        for row in rows
    )
