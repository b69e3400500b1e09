"""The model cards: every pretrained encoder that a config can name, and those that it cannot.

Nothing heavy is imported here: the Snakefile reads it, and the table in `docs/encoders.md` is
generated from it.
"""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from pydantic import TypeAdapter

from songatlas.errors import SongatlasError
from songatlas.files import PROJECT

Code = Literal["transformers", "package", "ported"]


@dataclass(frozen=True)
class Card:
    """What is known of a pretrained encoder before its weights are fetched.

    `parameters_m` counts millions of parameters of the whole checkpoint. `clip_s` is the longest
    excerpt that it takes at once (None: any); longer windows are cut into so long pieces.
    """

    name: str
    title: str
    family: str
    """Module under `songatlas.features.encoders` whose class `Encoder` runs it."""
    repository: str
    """On the Hugging Face Hub."""
    model: str
    """Class of the model, and of what makes its input."""
    parameters_m: int
    sample_rate_hz: int
    clip_s: float | None
    values: int
    """Stored per window: the dimensions of all layers of the published weights."""
    licence: str
    restricted: bool
    """The licence forbids commercial use, or none is stated: `pretrained.allow_restricted`."""
    citation: str
    trained_on: str
    """What it heard, and which of other people's labels it saw, in a few words."""
    supervision: Literal["none", "elsewhere"]
    """`elsewhere` where it saw tags, captions, transcripts or languages that others gave."""
    code: Code = "transformers"
    package: str | None = None
    joint: bool = False
    """Embeds texts into the same space (`embed_text` beside `embed_audio`)."""
    writes: Literal["on", "chat"] | None = None
    """The whole checkpoint writes captions: it goes on with a text, or follows a chat."""
    only: tuple[str, ...] = ("*.json", "*.txt", "*.safetensors", "*.bin", "*.model")
    """Patterns of the files that are fetched."""
    also: tuple[str, ...] = ()
    """Further repositories that it loads."""
    has_own_code: bool = False
    """Code comes with its weights, which runs where the config names it, and only there."""


FILE = PROJECT / "resources" / "encoders.yaml"


def _read(path: Path) -> dict[str, Card]:
    cards = yaml.safe_load(path.read_text(encoding="utf-8"))
    named = {name: {"name": name, **fields} for name, fields in cards.items()}
    return TypeAdapter(dict[str, Card]).validate_python(named)


CARDS: dict[str, Card] = _read(FILE)
"""By the name that configs use."""

NOT_OFFERED: dict[str, str] = {
    "OpenL3": "`openl3` needs TensorFlow and did not build under Python 3.11; `torchopenl3` needs "
    "resampy < 0.3 and fetches its weights through torch.hub, with no pinned revision",
    "VGGish": "`torchvggish` has no wheel and fetches its weights through torch.hub on "
    "construction, with no pinned revision; torchaudio 2.11 no longer has one",
    "PANNs": "`panns_inference` fetches its weights with `wget` through a shell on import",
    "PaSST": "`hear21passt` fetches its weights through torch.hub on construction, with no pinned "
    "revision, and needs timm",
    "BEATs": "no package: the code is a folder of microsoft/unilm",
}
"""Encoders that no config can name, and why."""


def unknown(name: str) -> str:
    """What to say of a name that no card has."""
    close = difflib.get_close_matches(name, CARDS, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(CARDS)}"
    return f"unknown encoder `{name}`; {hint}"


def card(name: str) -> Card:
    """The card of an encoder.

    Raises:
        SongatlasError: when there is none of this name.
    """
    if name not in CARDS:
        raise SongatlasError(unknown(name))
    return CARDS[name]


def problems(name: str, *, allow_restricted: bool, remote_code: tuple[str, ...]) -> list[str]:
    """What keeps a config from using an encoder, one line each.

    `remote_code` names the encoders whose repository's code may run.
    """
    if name not in CARDS:
        return [unknown(name)]
    found = CARDS[name]
    lines = []
    if found.restricted and not allow_restricted:
        lines.append(
            f"the weights of `{name}` ({found.repository}) are not free for commercial use "
            f"(licence: {found.licence}); set pretrained.allow_restricted to true if your use is "
            "allowed, or choose another encoder"
        )
    if name in remote_code and not found.has_own_code:
        lines.append(f"no code comes with `{name}`; take it out of pretrained.remote_code")
    return lines


def table() -> str:
    """The cards as a Markdown table, and the encoders that are not offered."""
    rows = [
        "| name | model | weights | parameters | sample rate | at once | values | code | licence "
        "| trained on | supervision | paper |",
        "| --- | --- | --- | ---: | ---: | --- | ---: | --- | --- | --- | --- | --- |",
    ]
    for one in CARDS.values():
        code = {"package": f"package `{one.package}`"}
        rows.append(
            f"| `{one.name}` | {one.title} | [{one.repository}]"
            f"(https://huggingface.co/{one.repository}) | {one.parameters_m} M "
            f"| {one.sample_rate_hz:,} Hz | {f'{one.clip_s:g} s' if one.clip_s else 'any'} "
            f"| {one.values:,} | {code.get(one.code, one.model)} "
            f"| {one.licence}{' (restricted)' if one.restricted else ''} | {one.trained_on} "
            f"| {one.supervision} | {one.citation} |"
        )
    rows += ["", "| not offered | why |", "| --- | --- |"]
    rows += [f"| {name} | {why} |" for name, why in NOT_OFFERED.items()]
    return "\n".join(rows) + "\n"
