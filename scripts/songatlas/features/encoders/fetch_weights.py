"""Fetching weights from the Hugging Face Hub: the one place that uses the network.

The licence is shown before anything is fetched. A repository that the lock pins is fetched at its
commit and must have the pinned files; another one is fetched as it is now and then pinned.
"""

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from songatlas.config.encoder_cards import CARDS
from songatlas.errors import SongatlasError
from songatlas.features.encoders.weights import Pinned, differences, digests, read_lock, write_lock

logger = logging.getLogger(__name__)

TEXT_FILES = ("*.json", "*.txt", "*.safetensors", "*.bin", "*.model")
"""What of a text encoder's repository is fetched: no ONNX, TensorFlow or OpenVINO copies."""


@dataclass(frozen=True)
class Wanted:
    """A repository to fetch: the files that match `only`, and what is said before."""

    repository: str
    only: tuple[str, ...]
    said: str


def wanted(audio: dict[str, str | None], text: Sequence[str]) -> list[Wanted]:
    """Repositories of audio encoders (by name: what the config gives instead, if anything) and of
    text encoders (repositories). Local folders need no fetching."""
    found = []
    for name, instead in audio.items():
        card = CARDS[name]
        repositories = [instead or card.repository, *card.also]
        for repository in repositories:
            licence = f"licence: {card.licence}; {card.parameters_m} million parameters"
            if repository != card.repository:
                licence = f"licence: see https://huggingface.co/{repository}"
            only = card.only if repository in (card.repository, instead) else TEXT_FILES
            found.append(Wanted(repository, only, f"{card.title}; {licence}; {card.citation}"))
    for repository in text:
        licence = f"licence: see https://huggingface.co/{repository}"
        found.append(Wanted(repository, TEXT_FILES, f"text encoder; {licence}"))
    return [one for one in found if not Path(one.repository).expanduser().is_dir()]


def fetch(audio: dict[str, str | None], text: Sequence[str], lock: str | Path) -> str:
    """Fetch every repository that a config names into the Hugging Face cache, and pin it.

    Returns:
        How many repositories were fetched and of how many bytes, in words.

    Raises:
        SongatlasError: when one cannot be fetched, or is not what the lock says.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    pinned = read_lock(lock)
    repositories = {one.repository: one for one in wanted(audio, text)}
    for one in repositories.values():
        before = pinned.get(one.repository)
        at = f"commit {before.revision[:12]}" if before else "its newest commit, then pinned"
        # On the screen whatever the level of the log: nobody should fetch without having seen it.
        sys.stderr.write(f"{one.repository} ({at})\n  {one.said}\n")
    bytes_in_all = 0
    for one in repositories.values():
        before = pinned.get(one.repository)
        try:
            folder = Path(
                snapshot_download(
                    one.repository,
                    revision=before.revision if before else None,
                    allow_patterns=list(one.only),
                    ignore_patterns=["onnx/*", "openvino/*"],
                )
            )
        except (OSError, HfHubHTTPError, LocalEntryNotFoundError, ValueError) as error:
            first_line = str(error).strip().split("\n")[0]
            raise SongatlasError(
                f"`{one.repository}` could not be fetched ({type(error).__name__}: {first_line}); "
                "check the name and the network, and unset HF_HUB_OFFLINE, then run again"
            ) from None
        present = digests(folder)
        if before is not None:
            wrong = differences(before.files, present)
            if wrong:
                raise SongatlasError(
                    f"{folder}: not what {lock} pins: {', '.join(wrong[:3])}. Somebody changed the "
                    "files or the lock; delete the folder and fetch again, or correct the lock"
                )
        else:
            pinned[one.repository] = Pinned(folder.name, present)
            write_lock(lock, pinned)
        bytes_in_all += sum((folder / name).stat().st_size for name in present)
        logger.info("%s: %d files, commit %s", one.repository, len(present), folder.name)
    return f"{len(repositories)} repositories, {bytes_in_all / 1e6:.1f} MB, pinned in {lock}"
