"""A published table beside a run's own: published, ours, difference, and whose corpus it is."""

from collections.abc import Sequence

import pandas as pd

NOT_PUBLISHED = "not published"
NOT_RUN = "not in this run"
NO_VALUE = "no value in this run"


def versus(
    published: pd.DataFrame,
    ours: pd.DataFrame,
    *,
    keys: Sequence[str],
    values: Sequence[str],
    corpus: str,
    extra: Sequence[str] = (),
) -> pd.DataFrame:
    """One row per key and value column: those of the study first, in its order.

    Args:
        published, ours: tables with the columns `keys` and, where they have them, `values`; a key
            stands once in `published`, any number of times in `ours` (told apart by `extra`).
        keys: what a row of both is about.
        values: numeric columns that are compared.
        corpus: what `corpus` says in every row.
        extra: further columns of `ours` that are kept.

    Returns:
        `keys`, `extra`, `metric, published, ours, difference, corpus, note`. Null where one of the
        two has no value; `note` then says which.
    """
    names = list(keys)
    left, right = _long(published, names, values, ()), _long(ours, names, values, extra)
    left = left.rename(columns={"number": "published"}).dropna(subset=["published"])
    right = right.rename(columns={"number": "ours"}).assign(run=True)
    joined = left.merge(right, on=[*names, "metric"], how="outer", sort=False)
    known = dict.fromkeys([*_keys(published, names), *_keys(ours, names)])
    order = {key: i for i, key in enumerate(known)}
    metric = {name: i for i, name in enumerate(values)}
    place = [
        (order[key], metric[name])
        for key, name in zip(_keys(joined, names), joined["metric"], strict=True)
    ]
    joined = joined.loc[pd.Series(place, index=joined.index).sort_values(kind="stable").index]
    joined["difference"] = joined["ours"] - joined["published"]
    joined["corpus"] = corpus
    joined["note"] = [
        _note(*row)
        for row in zip(joined["published"], joined["ours"], joined["run"].notna(), strict=True)
    ]
    columns = [*names, *extra, "metric", "published", "ours", "difference", "corpus", "note"]
    return joined[columns].reset_index(drop=True)


def for_readers(frame: pd.DataFrame) -> pd.DataFrame:
    """Numbers to four digits that count, whatever they measure; differences with their sign."""
    shown = frame.copy()
    for column, form in (("published", ".4g"), ("ours", ".4g"), ("difference", "+.3g")):
        shown[column] = [None if pd.isna(value) else _plain(value, form) for value in frame[column]]
    return shown


def _plain(value: float, form: str) -> str:
    """As `format` has it, but large numbers in full instead of with an exponent."""
    whole = "+.0f" if form[0] == "+" else ".0f"
    return format(value, whole if abs(value) >= 1000 else form)


def _long(
    frame: pd.DataFrame, keys: Sequence[str], values: Sequence[str], extra: Sequence[str]
) -> pd.DataFrame:
    there = [name for name in values if name in frame]
    kept = frame[[*keys, *extra, *there]].copy()
    kept[there] = kept[there].apply(pd.to_numeric).astype(float)
    return kept.melt(
        id_vars=[*keys, *extra], value_vars=there, var_name="metric", value_name="number"
    )


def _keys(frame: pd.DataFrame, names: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(frame[name] for name in names), strict=True))


def _note(published: float, ours: float, run: bool) -> str | None:
    missing: list[str] = []
    if pd.isna(published):
        missing.append(NOT_PUBLISHED)
    if pd.isna(ours):
        missing.append(NO_VALUE if run else NOT_RUN)
    return "; ".join(missing) or None
