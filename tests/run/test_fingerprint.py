"""Code identity: what a comment leaves alone and what an edit changes."""

import ast
from pathlib import Path

import pytest

from songatlas.run import fingerprint, syntax

BOTTOM = '''"""Doc."""

import logging
from dataclasses import dataclass

LIMIT = 1
"""What it is."""
OTHER = 2
SEEN = {}


def helper(x):
    return x + LIMIT


def unused(x):
    return x + OTHER


@dataclass
class Box:
    """A box."""

    size: int = LIMIT
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package: entry -> top -> bottom, and apart, which nothing imports."""
    folder = tmp_path / "songatlas"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "bottom.py").write_text(BOTTOM)
    (folder / "top.py").write_text(
        "from songatlas import bottom\n\n\ndef run():\n    return bottom.helper(1)\n"
    )
    (folder / "apart.py").write_text("value = 3\n")
    (tmp_path / "entry.py").write_text(
        '"""Doc."""\n\nif True:\n    from songatlas.top import run\n\n    run()\n'
    )
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    monkeypatch.setattr(syntax, "CACHE", tmp_path / "kept")
    return tmp_path


def digest(package: Path, *modules: str) -> str:
    syntax.read.cache_clear()
    fingerprint._fingerprint.cache_clear()
    fingerprint._path_under.cache_clear()
    fingerprint._module_under.cache_clear()
    return fingerprint.fingerprint(package / "entry.py", modules)


def changes(package: Path, module: str, old: str, new: str) -> bool:
    """Whether an edit of a module changes the fingerprint."""
    before = digest(package)
    path = package / "songatlas" / module
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    return digest(package) != before


def test_comments_docstrings_and_layout_change_nothing(package: Path) -> None:
    assert not changes(package, "bottom.py", '"""Doc."""', '"""More."""\n# why\n')
    assert not changes(package, "bottom.py", "LIMIT = 1", "LIMIT = (\n    1\n)")
    assert not changes(package, "bottom.py", '"""What it is."""', '"""Says more."""')
    before = digest(package)
    entry = package / "entry.py"
    entry.write_text(entry.read_text().replace("Doc", "Other words"))
    assert digest(package) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x + LIMIT", "return x - LIMIT"),  # a function that is called
        ("LIMIT = 1", "LIMIT = 3"),  # a constant that it reads
        ("SEEN = {}", "SEEN = {}\nSEEN['a'] = 1"),  # something done at import
        ("SEEN = {}", "SEEN = {}\nhelper(1)"),
        ("def unused(x)", "@helper\ndef unused(x)"),  # ours runs at import, with who knows what
        ("OTHER = 2", "OTHER = helper(2)"),
        ("OTHER = 2", "OTHER = SEEN.setdefault('a', 2)"),
        ("import logging", "import logging\nimport faulthandler"),  # imported for its effect
        ("OTHER = 2", "OTHER = globals()"),  # whole from now on
    ],
)
def test_what_can_matter_changes_it(package: Path, old: str, new: str) -> None:
    assert changes(package, "bottom.py", old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("return x + OTHER", "return x - OTHER"),
        ("OTHER = 2", "OTHER = 3"),
        ("size: int = LIMIT", "size: int = 7"),
        ("OTHER = 2", "OTHER = 2\n\n\nclass New:\n    pass"),
        ("OTHER = 2", "OTHER = Box(3)"),
    ],
)
def test_definitions_that_nobody_reaches_change_nothing(package: Path, old: str, new: str) -> None:
    assert not changes(package, "bottom.py", old, new)


@pytest.mark.parametrize(
    "use",
    [
        "getattr(bottom, 'unused')(1)",  # the module as a value
        "(lambda m: m)(bottom).unused(1)",
        "bottom.unused(1)",
    ],
)
def test_a_module_is_followed_however_it_is_used(package: Path, use: str) -> None:
    assert changes(package, "top.py", "bottom.helper(1)", use)
    assert changes(package, "bottom.py", "OTHER = 2", "OTHER = 3")


@pytest.mark.parametrize(
    ("first", "call"),
    [
        ("from songatlas.bottom import *\nfrom songatlas import bottom", "unused(1)"),
        ("from songatlas.bottom import unused as f", "f(1)"),
        ("import songatlas.bottom as b", "b.unused(1)"),
        ("import songatlas.bottom", "songatlas.bottom.unused(1)"),
    ],
)
def test_every_form_of_import_is_followed(package: Path, first: str, call: str) -> None:
    (package / "songatlas" / "top.py").write_text(f"{first}\n\n\ndef run():\n    return {call}\n")
    assert changes(package, "bottom.py", "OTHER = 2", "OTHER = 3")


def test_a_name_that_is_handed_on_is_followed(package: Path) -> None:
    (package / "songatlas" / "between.py").write_text("from songatlas.bottom import unused\n")
    (package / "songatlas" / "top.py").write_text(
        "from songatlas.between import unused\n\n\ndef run():\n    return unused(1)\n"
    )
    assert changes(package, "bottom.py", "OTHER = 2", "OTHER = 3")


def test_types_in_quotes_are_followed(package: Path) -> None:
    (package / "songatlas" / "top.py").write_text(
        "from songatlas import bottom\n\n\ndef run(box: 'bottom.Box | None' = None):\n    ...\n"
    )
    assert changes(package, "bottom.py", "size: int = LIMIT", "size: int = 7")


def test_help_texts_of_the_config_change_nothing(package: Path) -> None:
    path = package / "songatlas" / "bottom.py"
    path.write_text('LIMIT = Field(1, ge=0, description="Help.")\n\n\ndef helper(x):\n    LIMIT\n')
    assert not changes(package, "bottom.py", "Help.", "Better help.")
    assert changes(package, "bottom.py", "ge=0", "ge=1")


def test_the_script_itself_changes_it(package: Path) -> None:
    before = digest(package)
    (package / "entry.py").write_text("import songatlas.top\n")
    assert digest(package) != before


def test_a_named_module_counts_whole(package: Path) -> None:
    before, named = digest(package), digest(package, "songatlas.apart")
    assert before != named
    (package / "songatlas" / "apart.py").write_text("value = 4\n")
    assert digest(package) == before
    assert digest(package, "songatlas.apart") != named


def test_moving_a_module_changes_nothing(package: Path) -> None:
    entry = package / "entry.py"
    late = "\n    def late():\n        from songatlas import bottom\n"
    entry.write_text(entry.read_text() + late)
    before = digest(package)
    folder = package / "songatlas" / "rooms"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (package / "songatlas" / "bottom.py").rename(folder / "bottom.py")
    for path in (package / "songatlas" / "top.py", entry):
        text = path.read_text()
        path.write_text(
            text.replace("from songatlas import bottom", "from songatlas.rooms import bottom")
        )
    assert digest(package) == before


def test_parsed_files_are_kept_and_an_edit_is_seen(package: Path) -> None:
    before = digest(package)
    assert len(list(syntax.CACHE.iterdir())) == 4
    parsed = syntax.parse(BOTTOM, "bottom.py")
    syntax.read.cache_clear()
    assert syntax.read(package / "songatlas" / "bottom.py") == parsed
    assert changes(package, "bottom.py", "LIMIT = 1", "LIMIT = 3")
    assert changes(package, "bottom.py", "LIMIT = 3", "LIMIT = 1")
    assert digest(package) == before


@pytest.mark.parametrize("kept", ["", "{", "[]", '{"key": "x"}', '{"parts": 3}'])
def test_what_is_kept_may_be_broken(package: Path, kept: str) -> None:
    before = digest(package)
    for path in syntax.CACHE.iterdir():
        path.write_text(kept)
    assert digest(package) == before


def test_a_disk_that_keeps_nothing_is_no_error(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(package)
    (package / "file").write_text("")
    monkeypatch.setattr(syntax, "CACHE", package / "file" / "syntax")
    assert digest(package) == before


def test_a_model_file_is_not_in_another_models_fingerprint() -> None:
    script = fingerprint.entry_script("train")
    reached = fingerprint.reachable(script, ["songatlas.models.basic_vae"])
    assert "songatlas.models.basic_vae" in reached
    assert "songatlas.models.vade" not in reached


ENTRY_SCRIPTS = sorted(
    path for path in fingerprint.ROOT.glob("*/*.py") if path.parent.name != "songatlas"
)


@pytest.mark.parametrize("script", ENTRY_SCRIPTS, ids=lambda p: p.stem)
def test_scripts_reach_what_they_import_and_nothing_of_the_figures_unless_they_draw(
    script: Path,
) -> None:
    reached = fingerprint.reachable(script)
    assert "job" in reached["songatlas.run.jobs"]
    if script.stem in ("train", "latents", "clusters", "logmel", "descriptors", "comparison"):
        assert not [name for name in reached if name.startswith("songatlas.report.figures")]


def test_the_package_does_nothing_that_cannot_be_followed() -> None:
    """Defining a class has no effect elsewhere, and modules are not written to from outside."""
    for path in sorted((fingerprint.ROOT / "songatlas").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            where = f"{path}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.FunctionDef):
                assert node.name not in ("__init_subclass__", "__set_name__"), where
            if isinstance(node, ast.keyword):
                assert node.arg != "metaclass", where
            if isinstance(node, ast.Attribute):
                assert node.attr not in ("__subclasses__", "__globals__"), where
                assert not (node.attr == "modules" and ast.unparse(node.value) == "sys"), where
            assert not isinstance(node, ast.Global), where
