"""The model cards: every pretrained encoder that a config can name, and those that it cannot.

Nothing heavy is imported here: the Snakefile reads it, and the table in `docs/encoders.md` is
generated from it.
"""

import difflib
from dataclasses import dataclass
from typing import Literal

from songatlas.errors import SongatlasError

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


NC = "CC-BY-NC-4.0"

CARDS: dict[str, Card] = {
    card.name: card
    for card in (
        Card(
            "clap-music",
            "CLAP, music",
            "clap",
            "laion/larger_clap_music",
            "ClapModel, ClapProcessor",
            194,
            48_000,
            10.0,
            4_480,
            "Apache-2.0",
            False,
            "Wu et al. 2023, arXiv:2211.06687",
            trained_on="LAION-Audio-630K and more music, sounds with captions",
            supervision="elsewhere",
            joint=True,
        ),
        Card(
            "clap",
            "CLAP, general",
            "clap",
            "laion/clap-htsat-unfused",
            "ClapModel, ClapProcessor",
            153,
            48_000,
            10.0,
            3_488,
            "Apache-2.0",
            False,
            "Wu et al. 2023, arXiv:2211.06687",
            trained_on="LAION-Audio-630K, 634 k sounds with captions",
            supervision="elsewhere",
            joint=True,
        ),
        Card(
            "ast",
            "AST",
            "ast",
            "MIT/ast-finetuned-audioset-10-10-0.4593",
            "ASTModel, ASTFeatureExtractor",
            87,
            16_000,
            10.24,
            10_752,
            "BSD-3-Clause",
            False,
            "Gong et al. 2021, arXiv:2104.01778",
            trained_on="AudioSet, 2 M clips with labels of 527 sounds and genres",
            supervision="elsewhere",
        ),
        Card(
            "wav2vec2",
            "Wav2Vec2",
            "waveform",
            "facebook/wav2vec2-base",
            "Wav2Vec2Model, Wav2Vec2FeatureExtractor",
            95,
            16_000,
            None,
            9_984,
            "Apache-2.0",
            False,
            "Baevski et al. 2020, arXiv:2006.11477",
            trained_on="LibriSpeech, 960 h of English speech without transcripts",
            supervision="none",
        ),
        Card(
            "xls-r",
            "XLS-R",
            "waveform",
            "facebook/wav2vec2-xls-r-300m",
            "Wav2Vec2Model, Wav2Vec2FeatureExtractor",
            315,
            16_000,
            None,
            25_600,
            "Apache-2.0",
            False,
            "Babu et al. 2021, arXiv:2111.09296",
            trained_on="436 k h of speech in 128 languages without transcripts",
            supervision="none",
        ),
        Card(
            "hubert",
            "HuBERT",
            "waveform",
            "facebook/hubert-base-ls960",
            "HubertModel, Wav2Vec2FeatureExtractor",
            95,
            16_000,
            None,
            9_984,
            "Apache-2.0",
            False,
            "Hsu et al. 2021, arXiv:2106.07447",
            trained_on="LibriSpeech, 960 h of English speech without transcripts",
            supervision="none",
        ),
        Card(
            "wavlm",
            "WavLM",
            "waveform",
            "microsoft/wavlm-base-plus",
            "WavLMModel, Wav2Vec2FeatureExtractor",
            95,
            16_000,
            None,
            9_984,
            "CC-BY-SA-3.0",
            False,
            "Chen et al. 2022, arXiv:2110.13900",
            trained_on="94 k h of English speech without transcripts",
            supervision="none",
        ),
        Card(
            "whisper",
            "Whisper encoder",
            "whisper",
            "openai/whisper-small",
            "WhisperModel (encoder), WhisperFeatureExtractor",
            244,
            16_000,
            30.0,
            9_984,
            "Apache-2.0",
            False,
            "Radford et al. 2022, arXiv:2212.04356",
            trained_on="680 k h of speech in 97 languages with transcripts",
            supervision="elsewhere",
        ),
        Card(
            "encodec",
            "EnCodec",
            "encodec",
            "facebook/encodec_24khz",
            "EncodecModel, EncodecFeatureExtractor",
            15,
            24_000,
            None,
            8_448,
            "none stated for the weights (code: MIT)",
            True,
            "Défossez et al. 2022, arXiv:2210.13438",
            trained_on="DNS, Common Voice, AudioSet, FSD50K and Jamendo without labels",
            supervision="none",
        ),
        Card(
            "musicgen",
            "MusicGen decoder",
            "musicgen",
            "facebook/musicgen-small",
            "MusicgenForConditionalGeneration, EncodecFeatureExtractor",
            587,
            32_000,
            30.0,
            25_600,
            NC,
            True,
            "Copet et al. 2023, arXiv:2306.05284",
            trained_on="20 k h of licensed music with descriptions",
            supervision="elsewhere",
        ),
        Card(
            "qwen2-audio",
            "Qwen2-Audio's audio tower",
            "qwen2_audio",
            "Qwen/Qwen2-Audio-7B",
            "Qwen2AudioEncoder, WhisperFeatureExtractor",
            8_397,
            16_000,
            30.0,
            42_240,
            "Apache-2.0",
            False,
            "Chu et al. 2024, arXiv:2407.10759",
            trained_on="from Whisper on: speech, sounds and music with transcripts and captions",
            supervision="elsewhere",
            writes="on",
        ),
        Card(
            "qwen2-audio-instruct",
            "Qwen2-Audio-Instruct's audio tower",
            "qwen2_audio",
            "Qwen/Qwen2-Audio-7B-Instruct",
            "Qwen2AudioEncoder, WhisperFeatureExtractor",
            8_397,
            16_000,
            30.0,
            42_240,
            "Apache-2.0",
            False,
            "Chu et al. 2024, arXiv:2407.10759",
            trained_on="as Qwen2-Audio, then instructions and answers about sound",
            supervision="elsewhere",
            writes="chat",
        ),
        Card(
            "mert-95m",
            "MERT v1, 95M",
            "mert",
            "m-a-p/MERT-v1-95M",
            "ported to HubertModel; Wav2Vec2FeatureExtractor",
            95,
            24_000,
            None,
            9_984,
            NC,
            True,
            "Li et al. 2024, arXiv:2306.00107",
            trained_on="20 k h of music without labels",
            supervision="none",
            code="ported",
            has_own_code=True,
            only=("*.json", "*.py", "*.safetensors", "*.bin"),
        ),
        Card(
            "mert-330m",
            "MERT v1, 330M",
            "mert",
            "m-a-p/MERT-v1-330M",
            "ported to HubertModel; Wav2Vec2FeatureExtractor",
            330,
            24_000,
            None,
            25_600,
            NC,
            True,
            "Li et al. 2024, arXiv:2306.00107",
            trained_on="160 k h of music without labels",
            supervision="none",
            code="ported",
            has_own_code=True,
            only=("*.json", "*.py", "*.safetensors", "*.bin"),
        ),
        Card(
            "musicfm",
            "MusicFM",
            "musicfm",
            "minzwon/MusicFM",
            "ported: `encoders/musicfm.py`",
            330,
            24_000,
            None,
            13_312,
            "none stated for the weights (code: MIT)",
            True,
            "Won et al. 2024, arXiv:2311.03318",
            trained_on="Million Song Dataset, excerpts without labels",
            supervision="none",
            code="ported",
            only=("pretrained_msd.pt", "msd_stats.json"),
        ),
        Card(
            "muq",
            "MuQ",
            "muq",
            "OpenMuQ/MuQ-large-msd-iter",
            "muq.MuQ",
            300,
            24_000,
            None,
            13_312,
            NC,
            True,
            "Zhu et al. 2025, arXiv:2501.01108",
            trained_on="Million Song Dataset, excerpts without labels",
            supervision="none",
            code="package",
            package="muq",
        ),
        Card(
            "muq-mulan",
            "MuQ-MuLan",
            "muq_mulan",
            "OpenMuQ/MuQ-MuLan-large",
            "muq.MuQMuLan",
            700,
            24_000,
            10.0,
            512,
            NC,
            True,
            "Zhu et al. 2025, arXiv:2501.01108",
            trained_on="from MuQ on: music with texts that describe it",
            supervision="elsewhere",
            code="package",
            package="muq",
            joint=True,
            also=("OpenMuQ/MuQ-large-msd-iter", "xlm-roberta-base"),
        ),
    )
}
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
