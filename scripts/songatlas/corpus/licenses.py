"""Licences under one spelling."""

import re

_LINK = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)(?:/(\d\.\d))?", re.I)
_NAME = re.compile(
    r"^(?:creative\s*commons|cc)?[\s:_-]*((?:by|nc|nd|sa)(?:[\s_-]+(?:by|nc|nd|sa))*)"
    r"(?:[\s_-]*v?(\d\.\d))?$",
    re.I,
)
_PUBLIC_DOMAIN = {"zero": "CC0", "mark": "Public-Domain"}
_ORDER = ("by", "nc", "nd", "sa")


def normalise_license(text: str | None) -> str | None:
    """One spelling for Creative Commons licences: `CC  BY-NC-SA` and links become `CC-BY-NC-SA`.

    A version is added where the source states one (`CC-BY-NC-SA-2.5`, as SPDX has it); a name
    without a number means that the version is unknown. Other licences stay as they are written.
    """
    stripped = " ".join((text or "").split())
    if not stripped:
        return None
    if link := license_link(stripped):
        return link
    if re.fullmatch(r"(?:cc|creative commons)[\s-]*(?:0|zero)(?:[\s-]*1\.0)?", stripped, re.I):
        return "CC0-1.0" if stripped.endswith("1.0") else "CC0"
    if match := _NAME.match(stripped):
        parts = re.split(r"[\s_-]+", match[1].lower())
        return _name(parts, match[2])
    return stripped


def license_link(text: str) -> str | None:
    """The licence that the first Creative Commons link of a text names, or None."""
    for kind, code, version in _LINK.findall(text):
        if kind.lower() == "publicdomain":
            name = _PUBLIC_DOMAIN.get(code.lower())
            if name:
                return f"{name}-{version}" if version and name == "CC0" else name
            continue
        parts = code.lower().strip("-").split("-")
        if set(parts) <= set(_ORDER):
            return _name(parts, version)
    return None


def _name(parts: list[str], version: str | None) -> str:
    ordered = [part for part in _ORDER if part in parts]
    return "-".join(["CC", *(part.upper() for part in ordered), *([version] if version else [])])
