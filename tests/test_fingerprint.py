"""Code identity: what a comment leaves alone and what an edit changes."""

from pathlib import Path

import pytest

from songatlas import fingerprint


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package: entry -> a -> b, and c that nothing imports."""
    folder = tmp_path / "songatlas"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "a.py").write_text("from songatlas.b import value\n")
    (folder / "b.py").write_text('"""Doc."""\n\nvalue = 1\n"""What it is."""\n')
    (folder / "c.py").write_text("value = 3\n")
    (tmp_path / "entry.py").write_text("def main():\n    import songatlas.a\n")
    monkeypatch.setattr(fingerprint, "ROOT", tmp_path)
    return tmp_path


def digest(package: Path, *modules: str) -> str:
    fingerprint._imports.cache_clear()
    fingerprint._digest.cache_clear()
    return fingerprint.fingerprint(package / "entry.py", modules)


def test_comments_docstrings_and_layout_change_nothing(package: Path) -> None:
    before = digest(package)
    (package / "songatlas" / "b.py").write_text(
        '"""Another doc."""\n# why\n\n\nvalue = (\n    1\n)\n"""Says more."""\n'
    )
    assert digest(package) == before


def test_a_reached_module_changes_it(package: Path) -> None:
    before = digest(package)
    (package / "songatlas" / "b.py").write_text("value = 2\n")
    assert digest(package) != before


def test_the_script_itself_changes_it(package: Path) -> None:
    before = digest(package)
    (package / "entry.py").write_text("import songatlas.a\n")
    assert digest(package) != before


def test_an_unreached_module_changes_nothing_unless_named(package: Path) -> None:
    before, named = digest(package), digest(package, "songatlas.c")
    assert before != named
    (package / "songatlas" / "c.py").write_text("value = 4\n")
    assert digest(package) == before
    assert digest(package, "songatlas.c") != named


def test_a_model_file_is_not_in_another_models_fingerprint() -> None:
    script = fingerprint.ROOT / "train.py"
    reached = fingerprint.reachable(script, ["songatlas.models.basic_vae"])
    assert "songatlas.models.basic_vae" in reached
    assert "songatlas.models.vade" not in reached
