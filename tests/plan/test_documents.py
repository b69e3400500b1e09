"""Links and names in the documents lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "scripts" / "songatlas"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), PACKAGE / "README.md"])

LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")


def anchors(page: Path) -> set[str]:
    """What headings of a page are called in links to them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), link
        if anchor:
            assert anchor in anchors(there), link


def test_the_map_names_what_is_there() -> None:
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    named = {name for name in CODE.findall(text) if re.fullmatch(r"[\w/.]+(\.py|/|\.smk)", name)}
    assert len(named) > 50
    for name in named:
        places = (PACKAGE / name, ROOT / name, ROOT / "scripts" / name)
        assert any(place.exists() for place in places), name


def test_every_room_is_on_the_map() -> None:
    text = (PACKAGE / "README.md").read_text(encoding="utf-8")
    rooms = {f"{p.name}/" for p in PACKAGE.iterdir() if (p / "__init__.py").is_file()}
    modules = {p.name for p in PACKAGE.glob("*.py")} - {"__init__.py"}
    assert (rooms | modules) <= set(CODE.findall(text))


def test_the_readme_fits_a_visitor() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130
    assert len(text.split()) <= 1100


def test_every_page_stands_in_the_list() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        if page.name != "README.md":
            assert f"docs/{page.name}" in text, page.name
