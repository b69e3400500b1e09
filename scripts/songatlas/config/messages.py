"""Problems of a configuration in words."""

import re
from typing import Any

from pydantic import BaseModel, ValidationError

from songatlas.config.base import unknown


def _known_keys(location: tuple[int | str, ...], root: type[BaseModel]) -> tuple[str, ...]:
    """Keys that the section at `location` has (for the closest valid key in a message)."""
    section: Any = root
    for part in location:
        if isinstance(section, type) and issubclass(section, BaseModel):
            field = section.model_fields.get(str(part))
            annotation = field.annotation if field else None
            if getattr(annotation, "__origin__", None) is dict:
                annotation = annotation.__args__[1]  # type: ignore[union-attr]
                section = {None: annotation}
            else:
                section = annotation
        elif isinstance(section, dict):
            section = section[None]
    if isinstance(section, type) and issubclass(section, BaseModel):
        return tuple(section.model_fields)
    return ()


def read_as_html(value: Any, where: str) -> list[str]:
    """Texts that the HTML report, which shows parameters, would read as the end of its script."""
    if isinstance(value, dict):
        inside = [(f"{where}.{key}".lstrip("."), item) for key, item in value.items()]
        return [line for name, item in inside for line in read_as_html(item, name)]
    if isinstance(value, list):
        return [line for item in value for line in read_as_html(item, where)]
    if not isinstance(value, str) or not re.search(r"</script|<!--", value, re.I):
        return []
    return [f"{where}: may hold neither `</script` nor `<!--`, which the HTML report would act on"]


def describe(
    error: ValidationError, root: type[BaseModel], more_keys: tuple[str, ...] = ()
) -> list[str]:
    """One line per problem: the key, what is wrong, the closest valid key.

    `root` is the model that was validated; `more_keys` are valid at its top level too.
    """
    lines = []
    for item in error.errors():
        key = ".".join(str(part) for part in item["loc"])
        if item["type"] == "extra_forbidden":
            known = _known_keys(item["loc"][:-1], root)
            known += more_keys if len(item["loc"]) == 1 else ()
            lines.append(f"{key}: {unknown('key', str(item['loc'][-1]), known)}")
            continue
        message = item["msg"].removeprefix("Value error, ")
        given = "" if item["type"] == "value_error" else f" (given: {item['input']!r})"
        lines += [f"{key}: {part}{given}" if key else part for part in message.split("\n")]
    return lines
