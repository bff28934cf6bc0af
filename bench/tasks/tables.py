"""Tables of pandas as data: which columns are features, and as which numbers."""

from collections.abc import Sequence

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
    for name in (*wanted, *chosen):
        if count := int(table[name].isna().sum()):
            raise ValueError(f"column '{name}' has {missing(count)}; fill them, or leave out these rows")
    return table[chosen], table[target] if isinstance(target, str) else table[wanted]


def features_of(table: pd.DataFrame) -> np.ndarray:
    """Return the columns of a table as numbers (example, input); texts and categories become a column of 0 and 1 for each of them.

    ValueError if a column is neither, if numbers are missing or infinite, or if a column has more than `MOST_CATEGORIES` texts.
    """
    found: list[np.ndarray] = []
    for name, column in table.items():
        if count := int(column.isna().sum()):
            raise ValueError(f"column '{name}' has {missing(count)}; fill them, or leave out these rows")
        if types.is_bool_dtype(column.dtype) or types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype):
            values = column.to_numpy(dtype=float)
            if infinite := int(np.sum(~np.isfinite(values))):
                raise ValueError(f"column '{name}' has {infinite:,} infinite numbers")
            found.append(values[:, None])
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


def missing(count: int) -> str:
    """Say how many values are missing."""
    return f"{count:,} missing value{'s' if count != 1 else ''}"
