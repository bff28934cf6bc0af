"""Tables of pandas as data: which columns are features, and as which numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from bench.messages import nearest

MOST_CATEGORIES = 100
"""Most different texts of a column that become columns of zeros and ones."""


def table_parts(
    table: pd.DataFrame, target: str | Sequence[str] | None, features: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.Series | pd.DataFrame]:
    """Return the columns that are features, all but the target's unless they are named, and the target; ValueError if one is missing."""
    if target is None:
        raise ValueError(f"a table needs target = the name of the column to learn; it has {', '.join(map(str, table.columns))}")
    wanted = [target] if isinstance(target, str) else list(target)
    chosen = [column for column in table.columns if column not in wanted] if features is None else list(features)
    columns = {str(column): column for column in table.columns}
    for key, names in (("target", wanted), ("features", chosen)):
        unknown = next((name for name in names if str(name) not in columns), None)
        if unknown is not None:
            raise ValueError(f"{key}: the table has no column '{unknown}'; {nearest(str(unknown), columns)}")
    both = next((name for name in chosen if name in wanted), None)
    if both is not None:
        raise ValueError(f"features: '{both}' is the target")
    if not chosen or table.empty:
        raise ValueError("the table has no columns beside the target" if len(table) else "the table has no rows")
    _check_whole(table[[*wanted, *chosen]])
    return table[chosen], table[target] if isinstance(target, str) else table[wanted]


def features_of(table: pd.DataFrame) -> np.ndarray:
    """Return the columns of a table as numbers (example, input); texts and categories become a column of 0 and 1 for each of them.

    ValueError if a column is neither, if numbers are missing or infinite, or if a column has more than `MOST_CATEGORIES` texts.
    """
    _check_whole(table)
    if all(map(_is_number, table.dtypes)):
        # At once, which for images takes less time and memory.
        values = table.to_numpy()
        return values if values.dtype.kind in "biuf" else values.astype(float)
    found: list[np.ndarray] = []
    for name, column in table.items():
        if _is_number(column.dtype):
            found.append(column.to_numpy(dtype=float)[:, None])
            continue
        if not (isinstance(column.dtype, pd.CategoricalDtype) or column.map(lambda one: isinstance(one, str)).all()):
            raise ValueError(f"column '{name}' is {column.dtype}: numbers, truth values or texts; features = [...] leaves it out")
        texts = column.astype(str).to_numpy(dtype=str)
        distinct = np.unique(texts)
        if len(distinct) > MOST_CATEGORIES:
            raise ValueError(
                f"column '{name}' has {len(distinct):,} different texts, of which at most {MOST_CATEGORIES} become a column each; "
                "features = [...] leaves it out"
            )
        found.append((texts[:, None] == distinct).astype(float))
    return np.concatenate(found, axis=1)


def _is_number(dtype: Any) -> bool:
    return types.is_bool_dtype(dtype) or types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype)


def _check_whole(table: pd.DataFrame) -> None:
    """Raise ValueError on a column in which values are missing, or numbers infinite."""
    for name, column in table.items():
        if count := int(column.isna().sum()):
            raise ValueError(f"column '{name}' has {missing(count)}; fill them, or leave out these rows")
        if types.is_float_dtype(column.dtype) and (infinite := int(np.isinf(column.to_numpy(dtype=float)).sum())):
            raise ValueError(f"column '{name}' has {infinite:,} infinite number{'s' if infinite != 1 else ''}")


def missing(count: int) -> str:
    """Say how many values are missing."""
    return f"{count:,} missing value{'s' if count != 1 else ''}"
