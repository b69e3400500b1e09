"""The corpus of a plan, before a song is opened: listing, lyrics settings, transcripts."""

import functools
import hashlib
from pathlib import Path
from typing import Any

from songatlas.config.corpus import several_corpora
from songatlas.config.features import Lyrics
from songatlas.corpus.listing import AUDIO_SUFFIXES
from songatlas.errors import SongatlasError
from songatlas.files import PROJECT
from songatlas.plan.branches import Branches
from songatlas.run.fingerprint import entry_script, fingerprint

DEMO_FOLDER = "results/corpora/demo"
DEMO_NAME = "Synthetic demo corpus"
DEMO_SEED = 0
DEMO_SONGS, DEMO_SONG_S = 48, 40.0

BYTES_PER_S = {
    **dict.fromkeys(AUDIO_SUFFIXES, 16e3),
    **dict.fromkeys((".oga", ".ogg", ".opus", ".spx"), 14e3),
    **dict.fromkeys((".ape", ".flac", ".tak", ".tta", ".wv"), 80e3),
    **dict.fromkeys((".aif", ".aifc", ".aiff", ".au", ".caf", ".w64", ".wav"), 88e3),
}
"""Of small files of each kind: how long songs are before they have been opened, rather too long."""


class CorpusFiles(Branches):
    """The corpus of one run."""

    def transcripts(self, kind: str) -> list[str]:
        """Tables of `segments` or of `songs` by ear, one per shard; none without transcription."""
        if not self.config.transcription.include:
            return []
        return [
            self.path("corpus", "transcripts", f"{kind}-{shard}.parquet") for shard in self.shards
        ]

    @property
    def captions_by_ear(self) -> list[str]:
        """Tables of what an audio language model wrote, one per shard; none without one."""
        if self.config.names.listener is None:
            return []
        return [self.path("analysis", "captions", f"{shard}.parquet") for shard in self.shards]

    @property
    def corpus_path(self) -> str:
        if self.config.corpus == "demo":
            return DEMO_FOLDER
        if self.config.corpus == "several":  # names corpora; each has a path of its own
            return str(self.config.corpus_path)
        return str(Path(str(self.config.corpus_path)).expanduser())

    @property
    def corpus_name(self) -> str:
        """What stands in every table and figure title."""
        if self.config.corpus == "several":
            readers = (reader for reader, _ in several_corpora(str(self.config.corpus_path)))
            return f"{' + '.join(readers)} corpus"
        return DEMO_NAME if self.config.corpus == "demo" else f"{self.config.corpus} corpus"

    @functools.cached_property
    def corpus_listing(self) -> str:
        """Digest of what lies in the corpus folder, so that a new or edited song is noticed.

        Where the folder is not on this machine, the songs of a finished run count as they were: a
        run that was restored elsewhere is finished there too.
        """
        if self.config.corpus == "demo":
            return f"{DEMO_SEED} {self.digest('demo')} {self.code('demo_corpus')}"
        from songatlas.corpus.readers import corpora, listing_digest

        if not all(path.exists() for _, path in corpora(self.config.corpus, self.corpus_path)):
            return self._recorded_listing() or "absent"
        return listing_digest(self.config.corpus, Path(self.corpus_path))

    @functools.cached_property
    def audio_bytes(self) -> list[tuple[str, int]]:
        """Suffix (lower case, with its dot) and bytes of every file that may be a song.

        None of the demo's, which is not there yet, and where the corpus cannot be listed: where it
        is needed, listing it says what is wrong with it.
        """
        from songatlas.corpus.readers import file_sizes

        if self.config.corpus == "demo":
            return []
        try:
            sizes = file_sizes(self.config.corpus, self.corpus_path)
        except SongatlasError:
            return []
        return [(suffix, size) for suffix, size in sizes if suffix in BYTES_PER_S]

    @property
    def n_audio_files(self) -> int:
        """Songs of a corpus that nobody has opened yet, by their files."""
        return DEMO_SONGS if self.config.corpus == "demo" else len(self.audio_bytes)

    def _recorded_listing(self) -> str | None:
        path = Path(self.path("corpus", "sources.parquet"))
        if not path.is_file():
            return None
        from songatlas import tables

        listing: str | None = tables.read_metadata(path).get("listing")
        return listing

    def lyrics(self, baseline: str | None = None) -> dict[str, Any]:
        """What the lyrics encoder in use, or a baseline's own one, reads of its section."""
        used = self.config.lyrics if baseline is None else self.config.lyrics_for(baseline)
        keys: tuple[str, ...] = ("encoder", "dim", "max_lines")
        if used.encoder == "tfidf":
            keys = ("encoder", "ngram_min", "ngram_max", "dim", "max_lines")
        elif used.encoder == "word_vectors":
            keys += ("vectors",)
        elif used.encoder == "e5":
            pass
        else:
            keys += ("max_tokens", "trust_remote_code", "pooling", "prefix", "revision")
        dumped = used.model_dump()
        section = {key: dumped[key] for key in keys}
        if "revision" in section and section["revision"] is None:
            from songatlas.features.encoders.weights import read_lock

            pinned = read_lock(self.config.pretrained.lock).get(used.encoder)
            section["revision"] = pinned.revision if pinned else None
        return section

    @property
    def text_baselines(self) -> list[str]:
        """Names of the baselines with a text encoder of their own."""
        return [name for name in self.baselines if self.config.baselines[name].kind == "text"]

    @property
    def text_encoders(self) -> list[Lyrics]:
        """Settings of every text encoder in use, the one that models read first."""
        return [self.config.lyrics, *map(self.config.lyrics_for, self.text_baselines)]

    def digest(self, resource: str) -> str:
        """Digest of a file, or of all files of a folder, under `resources/`."""
        path = PROJECT / "resources" / resource
        files = [path] if path.is_file() else sorted(path.iterdir())
        digest = hashlib.sha256()
        for file in files:
            digest.update(file.name.encode() + b"\0" + file.read_bytes())
        return digest.hexdigest()[:16]

    def code(self, script: str, *architectures: str) -> str:
        """Fingerprint of an entry script's code, and of the architectures it builds."""
        modules = [f"songatlas.models.{architecture}" for architecture in architectures]
        return fingerprint(entry_script(script), modules)
