"""Nothing is trusted: pickles, code of models, song texts, the network."""

import ast
import csv
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from conftest import ROOT
from pipeline import snakemake, write_song
from songatlas import tables
from songatlas.config.features import Lyrics
from songatlas.errors import SongatlasError
from songatlas.evaluation import layout
from songatlas.models.base import InputSpec
from songatlas.report.figures import style
from songatlas.report.summary import escape
from songatlas.training.weights import Description, load_weights, save_weights

HOSTILE = (
    "<script>alert(1)</script>",
    "$(touch pwned)",
    "`touch pwned`; touch pwned",
    r"\input{/etc/passwd} \write18{touch pwned}",
    "../../../pwned",
    "| a | b |\n| - | - |",
    "[x](javascript:alert(1)) ![](http://192.0.2.1/x.png)",
    r"$\frac{1}{$ 100% & #1 _x_ ^y",
    '"><img src=x onerror=alert(1)>',
    "(a+)+$ [a-z]{1,99999} \\1 (?P<x>",
    "{wildcards.model} {0} %(x)s",
    "'; DROP TABLE songs; --",
)


# --- pickles -----------------------------------------------------------------------------------


class Payload:
    """Creates a file when it is unpickled by somebody who trusts it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.path),)


def poisoned(path: Path, kind: str, payload: Payload) -> None:
    """A file with code in it, where weights should be."""
    description = Description("basic_vae", InputSpec(16, 20, 0, 0), 8, {})
    save_weights(path, description, description.build().state_dict())
    content = torch.load(path, weights_only=True)
    if kind == "pickle":
        path.write_bytes(pickle.dumps(payload))
        return
    content["note" if kind == "beside" else "state_dict"] = payload
    torch.save(content, path)


@pytest.mark.parametrize("kind", ["beside", "instead", "pickle"])
def test_weights_with_code_in_them_are_refused_and_the_code_does_not_run(
    kind: str, tmp_path: Path
) -> None:
    path, trace = tmp_path / "weights.ckpt", tmp_path / "pwned"
    poisoned(path, kind, Payload(trace))
    with pytest.raises(
        SongatlasError, match=r"weights\.ckpt: .*(delete|Delete) it and run"
    ) as refused:
        load_weights(path)
    assert "weights_only" not in str(refused.value)  # torch advises to load it all the same
    assert not trace.exists()
    # The payload would have worked.
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()


def test_the_refusal_names_what_the_file_would_have_called(tmp_path: Path) -> None:
    poisoned(tmp_path / "weights.ckpt", "beside", Payload(tmp_path / "pwned"))
    with pytest.raises(SongatlasError, match=r"it refers to \S*mkdir"):
        load_weights(tmp_path / "weights.ckpt")


def test_a_resume_state_with_code_in_it_is_not_loaded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from test_training import run, same_weights

    whole = run()
    run(resume_folder=tmp_path / "resume", resume_every_s=0.0)
    (state,) = (tmp_path / "resume").glob("last-*.ckpt")
    content = torch.load(state, weights_only=True)
    torch.save({**content, "history": Payload(tmp_path / "pwned")}, state)
    assert same_weights(whole, run(resume_folder=tmp_path / "resume"))
    assert "training starts from its beginning" in caplog.text
    assert not (tmp_path / "pwned").exists()


def calls(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Every call in a file: what is called, and its named arguments."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            named = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg is not None}
            yield ast.unparse(node.func), named


SOURCES = sorted([*(ROOT / "scripts").rglob("*.py"), *(ROOT / "envs").glob("*.py")])


def test_nothing_loads_or_runs_what_it_is_given() -> None:
    never = {
        *("pickle.load", "pickle.loads", "joblib.load", "torch.hub.load", "np.load"),
        *("eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "__import__"),
    }
    loads = 0
    for path in SOURCES:
        for called, named in calls(path):
            where = f"{path}: {called}"
            assert called not in never, where
            assert named.get("shell", "False") == "False", where
            assert named.get("allow_pickle", "False") == "False", where
            trusted = named.get("trust_remote_code")
            assert trusted in (None, "config.runs_remote_code", "self.setting.runs_remote_code"), (
                where
            )
            if called == "torch.load":
                loads += 1
                assert named["weights_only"] == "True", where
    assert loads == 1


# --- code that comes with a model --------------------------------------------------------------


@pytest.fixture
def model_with_code(tmp_path: Path) -> Path:
    """A model in Hugging Face's format whose configuration is code that leaves a trace."""
    folder = tmp_path / "model"
    folder.mkdir()
    code = f"import os\nos.mkdir({str(tmp_path / 'pwned')!r})\nraise RuntimeError('it ran')\n"
    (folder / "custom.py").write_text(code)
    automatic = {"AutoConfig": "custom.Config", "AutoModel": "custom.Model"}
    automatic["AutoTokenizer"] = ["custom.Slow", "custom.Fast"]  # type: ignore[assignment]
    content = {"model_type": "custom_with_code", "auto_map": automatic}
    (folder / "config.json").write_text(json.dumps(content))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": automatic}))
    return folder


def test_code_of_a_model_does_not_run_unless_the_config_names_the_model(
    model_with_code: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from songatlas.features.lyrics.features import encoder_of

    name = str(model_with_code)
    for trusted in (None, "another/model"):
        with pytest.raises(SongatlasError, match="brings code of its own, which is not run"):
            encoder_of(Lyrics(encoder=name, trust_remote_code=trusted), 0, [])
    assert not (tmp_path / "pwned").exists()
    assert "REMOTE CODE" not in caplog.text
    with pytest.raises((RuntimeError, SongatlasError), match="it ran"):
        encoder_of(Lyrics(encoder=name, trust_remote_code=name), 0, [])
    assert (tmp_path / "pwned").exists()
    assert f"REMOTE CODE IS ON: `{name}` runs code" in caplog.text


def test_the_run_says_at_its_start_that_remote_code_is_on() -> None:
    from songatlas.config.yaml_files import load_yaml
    from songatlas.plan.workflow import Plan

    config = load_yaml(ROOT / "config" / "config.yaml").model_dump(mode="json")
    assert Plan(config).dangers() == []
    config["lyrics"] = {"encoder": "org/model", "trust_remote_code": "org/model"}
    (said,) = Plan(config).dangers()
    assert said.startswith("REMOTE CODE IS ON: `org/model`")
    with pytest.raises(ValueError, match="name the encoder whose code may run"):
        Lyrics(encoder="org/model", trust_remote_code=True)  # type: ignore[arg-type]


# --- texts of songs ----------------------------------------------------------------------------


def unescaped_bars(line: str) -> int:
    return len(re.findall(r"(?<!\\)\|", line))


LATEX_COMMANDS = (
    *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater"),
    *("textbar", "textquotedbl", "ensuremath", "pm", "times"),
)


def bare_latex(text: str) -> list[str]:
    """Commands and special letters in `text` that LaTeX would act upon."""
    text = re.sub(r"\\[{}$&%#_]", "", text)
    commands = re.findall(r"\\([A-Za-z]+\d*)", text)
    rest = re.sub(r"\\[A-Za-z]+(\{\})?", "", text).replace("{}", "")
    return [c for c in commands if c not in LATEX_COMMANDS] + re.findall(r"[$&#^~\\]", rest)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_only_text_in_every_format(text: str) -> None:
    frame = pd.DataFrame({"song": [text], "value": [1.0]})
    table = layout.markdown(frame, text, notes=[text])
    assert "<" not in table
    rows = [line for line in table.split("\n") if line.startswith("|")]
    assert len(rows) == 3
    assert {unescaped_bars(row) for row in rows} == {3}
    assert bare_latex(layout.escape_latex(text)) == []
    summary = escape(text)
    assert "\n" not in summary
    assert "<" not in summary
    assert not re.search(r"(?<!\\)[`*|\[\]]", summary)
    shown = style.plain(text, 200)
    assert not re.search(r"(?<!\\)\$", shown)


def test_a_hostile_text_is_drawn_letter_by_letter(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    from songatlas.report.figures.save import save

    for number, text in enumerate(HOSTILE):
        figure = Figure()
        figure.subplots().set_title(style.plain(text, 200))
        svg = tmp_path / f"{number}.svg"
        save(figure, svg, svg.with_suffix(".png"), dpi=50, title=text, description=text)
        check_svg(svg)


def check_svg(path: Path) -> None:
    """Well-formed, and without anything that acts."""
    for element in ElementTree.parse(path).iter():
        tag = element.tag.split("}")[-1].lower()
        assert tag not in ("script", "foreignobject", "iframe", "a"), path
        for name, value in element.attrib.items():
            assert not name.split("}")[-1].lower().startswith("on"), path
            assert "javascript:" not in value.lower(), path


CONFIG = """\
run: hostile
corpus: manifest
corpus_path: "songs $(touch pwned) {wildcards.x} `touch pwned` 'it' <b>"
shards: 1
windows: {length_s: 8.0, hop_s: 4.0}
logmel: {n_mels: 32, hop_length: 2048}
training: {max_epochs: 2}
loss: {kl_warmup_epochs: 1}
include: [beta_vae, multimodal_vae, descriptors, lyrics_tfidf]
models:
  beta_vae: {latent_dim: 8, change: "<script>alert(1) | $(touch pwned) \\\\input{x}"}
  multimodal_vae: {latent_dim: 8, change: "`touch pwned`"}
clustering: {k: [2], n_init: 2}
evaluation: {permutations: 5, bootstraps: 5, tasks: [language, genre, artist]}
consensus: {k_max: 3, draws: 3, references: 2}
disentanglement: {permutations: 2}
"""


def write_hostile_corpus(folder: Path) -> None:
    """Twelve songs: titles, artists, genres, lyrics and paths as hostile as may be."""
    names = [re.sub(r"[/\n\0]", "∕", text)[:80] for text in HOSTILE]
    rows = []
    for number, text in enumerate(HOSTILE):
        audio = folder / names[-number - 1] / f"{number} {names[number]}.wav"
        write_song(audio, ("pop", "rock")[number % 2], number)
        lyrics = audio.with_suffix(".txt")
        lyrics.write_text(f"{text}\nthe moon is over the river\n{HOSTILE[-number - 1]}\n", "utf-8")
        rows.append(
            {
                "song_id": f"song {number}",
                "title": text,
                "artist": HOSTILE[-number - 1],
                "language": ("english", "spanish")[number // 2 % 2],
                "genre": HOSTILE[number % 3],
                "audio_path": str(audio.relative_to(folder)),
                "lyrics_path": str(lyrics.relative_to(folder)),
                "factor_mood": HOSTILE[number % 2],
            }
        )
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the hostile corpus, with its HTML report."""
    folder = tmp_path_factory.mktemp("outer") / "inner" / "work"
    songs = folder / yaml.safe_load(CONFIG)["corpus_path"]
    songs.mkdir(parents=True)
    write_hostile_corpus(songs)
    (folder / "hostile.yaml").write_text(CONFIG, encoding="utf-8")
    snakemake(folder, "--configfile", "hostile.yaml")
    snakemake(folder, "--configfile", "hostile.yaml", "--report", "report.html")
    return folder


@pytest.mark.slow
def test_every_hostile_song_is_used(hostile: Path) -> None:
    labels = tables.read(hostile / "results/hostile/corpus/labels.parquet", tables.LABELS)
    assert len(labels) == len(HOSTILE)
    assert "<script>alert(1)</script>" in set(labels["title"])


@pytest.mark.slow
def test_nothing_of_a_song_reached_a_shell_or_left_the_folder(hostile: Path) -> None:
    outer = hostile.parents[1]
    assert [path for path in outer.rglob("*pwned*") if path.name == "pwned"] == []
    assert not (ROOT / "pwned").exists()
    assert sorted(path.name for path in outer.iterdir()) == ["inner"]
    assert sorted(path.name for path in (outer / "inner").iterdir()) == ["work"]


@pytest.mark.slow
def test_tables_and_pages_hold_hostile_texts_as_text(hostile: Path) -> None:
    results = hostile / "results" / "hostile"
    pages = sorted(results.rglob("*.md"))
    assert len(pages) >= 6
    for path in pages:
        text = path.read_text(encoding="utf-8").replace("<!-- Provenance:", "")
        assert not re.search(r"<\s*(script|img)", text, re.I), path
        assert not re.search(r"(?<!\\)\]\(javascript", text), path
        rows = [line for line in text.split("\n") if line.startswith("|")]
        for block in blocks(text):
            assert len({unescaped_bars(row) for row in block}) == 1, (path, block)
        assert rows or path.name == "summary.md", path
    latex = sorted(results.rglob("*.tex"))
    assert len(latex) >= 6
    for path in latex:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\\(input|write18|write|include)\b", text), path
    for path in results.rglob("*.csv"):
        pd.read_csv(path)
    for path in results.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))


def blocks(text: str) -> list[list[str]]:
    """The tables of a Markdown page: rows that stand together."""
    found: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.startswith("|"):
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [block for block in found if block]


@pytest.mark.slow
def test_figures_and_report_hold_nothing_that_acts(hostile: Path) -> None:
    figures = sorted((hostile / "results" / "hostile" / "figures").rglob("*.svg"))
    assert len(figures) >= 10
    for path in figures:
        check_svg(path)
    pages = [hostile / "report.html", *(hostile / "results").rglob("*.html")]
    for page in pages:
        assert acting(page.read_text(encoding="utf-8")) == [], page


class _Acting(HTMLParser):
    """Scripts and event handlers that a hostile text brought in, as a browser reads the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.found += [f"{tag} {n}={v}" for n, v in attributes if v and "alert(1)" in v]

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script" and data.strip().startswith("alert(1)"):
            self.found.append(data[:100])
        if self.inside != "script" and "'params':" in data:
            self.found.append(data[:100])  # a script that ended before its end


def acting(html: str) -> list[str]:
    parser = _Acting()
    parser.feed(html)
    return parser.found


def test_what_acts_in_a_page_is_found() -> None:
    assert acting("<script>alert(1)</script>") == ["alert(1)"]
    assert acting('<p><img src=x onerror="alert(1)">') == ["img onerror=alert(1)"]
    inert = '<script>x = "<script>alert(1)"</script> &lt;script>alert(1)'
    assert acting(inert) == []
    assert acting("<script>x = \"<b></script>alert(1)\", 'params':") != []


def test_a_config_that_would_end_the_script_of_the_report_is_refused() -> None:
    from songatlas.config.run import load
    from songatlas.config.yaml_files import load_yaml

    config = load_yaml(ROOT / "config" / "config.yaml").model_dump(mode="json")
    config["models"]["beta_vae"]["change"] = "<script>alert(1)</script>"
    config |= {"corpus": "folder", "corpus_path": "songs <!-- <script>"}
    with pytest.raises(SongatlasError) as refused:
        load(config)
    assert "models.beta_vae.change: may hold neither `</script`" in str(refused.value)
    assert "corpus_path: may hold neither" in str(refused.value)


def test_a_name_cannot_steer_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from songatlas.run.jobs import job

    with job(tmp_path / "x.log") as log:
        log.warning("cannot read %s", "a\x1b[2J\x07\u202eb.mp3")
    said = capsys.readouterr().err + (tmp_path / "x.log").read_text(encoding="utf-8")
    assert said.count(r"a\x1b[2J\x07\u202eb.mp3") == 2
    assert "\x1b" not in said


# --- the network -------------------------------------------------------------------------------

NETWORK = {
    *("requests", "urllib.request", "http.client", "httpx", "aiohttp", "ftplib", "urllib3"),
    *("websockets", "boto3", "gdown", "torch.hub", "smtplib", "telnetlib"),
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_only_rules_that_fetch_know_of_the_network() -> None:
    fetching = {"snapshot_download", "hf_hub_download", "urlopen", "urlretrieve", "download"}
    for path in sorted((ROOT / "scripts").rglob("*.py")):
        if path.stem.startswith("fetch_"):
            continue
        assert imported(path) & NETWORK == set(), path
        names = {called.split(".")[-1] for called, _ in calls(path)}
        assert names & fetching == set(), path
    rules = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "rules").glob("*.smk"))
    for name, script in re.findall(r"^ *rule (\w+):.*?scripts/\w+/(\w+)\.py", rules, re.S | re.M):
        assert name.startswith("fetch_") == script.startswith("fetch_"), name


def test_the_guard_closes_the_network_and_writes_down_who_tried(tmp_path: Path) -> None:
    code = (
        "import socket, urllib.request\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "try:\n    urllib.request.urlopen('http://192.0.2.1/', timeout=1)\n"
        "except OSError as error:\n    print(error)\n"
    )
    log = tmp_path / "network.log"
    environment = {"PYTHONPATH": str(ROOT / "tests" / "guard"), "SONGATLAS_NETWORK_LOG": str(log)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment
    )
    assert "the network is closed" in done.stdout, done.stderr
    assert "192.0.2.1" in log.read_text()
    assert len(log.read_text().splitlines()) == 1


def alone(command: list[str]) -> list[str]:
    """The command in a network of its own, where there is nothing but loopback."""
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("a network of its own needs `unshare` and `ip`")
    inner = ["sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    outer = ["unshare", "--net", *inner]
    if subprocess.run([*outer, "true"], capture_output=True).returncode:
        pytest.skip("may not make a network of its own here")
    return [*outer, *command]


@pytest.mark.slow
def test_a_run_needs_no_network(tmp_path: Path) -> None:
    """Where loopback is all there is, from demo songs to the report."""
    (tmp_path / "small.yaml").write_text(
        "include: [conv_vae, contrastive_audio, pca, lyrics_tfidf]\ntraining: {max_epochs: 1}\n"
        "consensus: {k_max: 3, draws: 3, references: 2}\n"
    )
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--cores", "2", "--resources", "gpu=1", "--configfile", "small.yaml"]
    log = tmp_path / "network.log"
    environment = {"PYTHONPATH": str(ROOT / "tests" / "guard"), "SONGATLAS_NETWORK_LOG": str(log)}
    done = subprocess.run(
        alone(command),
        cwd=tmp_path,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert not log.exists(), log.read_text()
    comparison = pd.read_csv(tmp_path / "results" / "demo" / "tables" / "comparison.csv")
    assert np.isfinite(comparison["nmi_mean"]).any()
