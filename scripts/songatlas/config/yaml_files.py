"""Configuration files in YAML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from songatlas.config.run import Config, load


def repeated_keys(path: Path) -> list[str]:
    """One line per key that a YAML file has twice in one mapping, where the last silently counts.

    A file that is no YAML has none: whoever loads it says what is wrong with it.
    """
    import yaml

    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []
    lines = []
    waiting: list[tuple[yaml.Node | None, str]] = [(root, "")]
    while waiting:
        node, prefix = waiting.pop()
        if not isinstance(node, yaml.MappingNode):
            continue
        first: dict[str, int] = {}
        for key, value in node.value:
            name = f"{prefix}{key.value}" if isinstance(key, yaml.ScalarNode) else prefix
            line = key.start_mark.line + 1
            if name in first and key.value != "<<":
                lines.append(
                    f"{name}: stands twice in {path} (lines {first[name]} and {line}); the second "
                    "would replace the first: rename or remove one"
                )
            first.setdefault(name, line)
            waiting.append((value, f"{name}."))
    return sorted(lines)


def load_yaml(*paths: Path) -> Config:
    """Validate YAML files merged in order, as Snakemake merges `--configfile`."""
    import yaml

    merged: dict[str, Any] = {}
    for path in paths:
        merged = _merge(merged, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    return load(merged)


def _merge(base: dict[str, Any], update: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in update.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merge(merged[key], value) if both else value
    return merged
