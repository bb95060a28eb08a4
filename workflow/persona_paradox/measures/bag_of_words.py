"""What words and fields alone tell of the class of a case: a cross-fitted logistic regression.

It is no reader: it knows neither the order of words nor what they mean, and only the items of one
data set. A model whose answers are worse has learned less than the words tell. Items are split
into folds, and those of a fold are answered by what was learned from the other folds, so that no
item's own class, nor that of its cluster, is in what answers it.

The regression is multinomial, with scikit-learn's defaults (L2, C = 1), which nothing is tuned to.
It reads the TF-IDF of the words of the whole case (of two letters or digits or more, the first
one a letter; whole numbers are none) and, of a case that is made of fields, every field with a
unit as a number (standardized; the median, and that it is missing, where it is not recorded) and
every field of fixed values as that value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from ..data.fields import line_of
from .folds import item_folds
from .statistics import clusters_of

Floats = NDArray[np.float64]
Field = Mapping[str, Any]

CASE = "case"
WORD = r"\b[^\W\d]\w+\b"
C = 1.0
# The regression ends where its gradient does; what it then answers, and not when it was tired.
_MOST_STEPS = 10_000


def folds_of(items: pl.DataFrame, cluster: str | None, folds: int, seed: int) -> NDArray[np.intp]:
    """Fold of every item: whole clusters, or at random with equal shares of every class.

    Args:
        items: `item_id`, `reference` and the column `cluster`, where there is one.
        cluster: column that names what belongs together.
        folds: how many.
        seed: of the draw.
    """
    named = pl.lit(None, pl.String) if cluster is None else pl.col(cluster).cast(pl.String)
    clusters = clusters_of(items.select("item_id", cluster=named))
    return item_folds(items["reference"].to_numpy(), clusters, folds, seed)


def features(cases: Sequence[str], fields: Sequence[Field]) -> pl.DataFrame:
    """What the regression reads of cases: the text, and a column for each number and category.

    Args:
        cases: as a model reads them, without the instruction.
        fields: those that a case is made of, in their order: `label`, `unit` or null, and whether
            it is a `category`, of fixed values.
    """
    labels = [field["label"] for field in fields]
    columns: dict[str, pl.Series] = {CASE: pl.Series(cases, dtype=pl.String)}
    for number, field in enumerate(fields):
        if labels.count(field["label"]) > 1 or not (field["category"] or field["unit"]):
            continue
        line = line_of(field["label"], labels)
        found = [line.search(case) for case in cases]
        texts = [None if match is None else match["value"] for match in found]
        if field["category"]:
            values = pl.Series([text or "" for text in texts], dtype=pl.String)
        else:
            end = f" {field['unit']}"
            numbers = [_number(None if text is None else text.removesuffix(end)) for text in texts]
            values = pl.Series(numbers, dtype=pl.Float64)
        columns[f"field {number}"] = values
    return pl.DataFrame(columns)


def _number(text: str | None) -> float | None:
    """A recorded number; None where there is none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def regression(table: pl.DataFrame) -> Pipeline:
    """The regression on a table of `features`, to be fitted."""
    numbers = [name for name, kind in table.schema.items() if kind == pl.Float64]
    categories = [name for name in table.columns if name not in (CASE, *numbers)]
    measured = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        StandardScaler(),
    )
    read = ColumnTransformer(
        [
            ("words", TfidfVectorizer(token_pattern=WORD), CASE),
            ("numbers", measured, numbers),
            ("categories", OneHotEncoder(handle_unknown="ignore"), categories),
        ]
    )
    return make_pipeline(read, LogisticRegression(C=C, max_iter=_MOST_STEPS))


def cross_fitted(
    table: pl.DataFrame, reference: Sequence[str], fold: NDArray[np.intp], classes: Sequence[str]
) -> Floats:
    """Probability of every class of every item, learned from the items of other folds.

    Args:
        table: `features`.
        reference: class of every item, its right answer.
        fold: of every item.
        classes: all of them, in the order of the columns.

    Returns:
        Shape (items, classes). 0 for a class that no item of the other folds has; nan where these
        have no item or no word, so that there is nothing to learn from.
    """
    right = np.asarray(reference)
    place = {name: i for i, name in enumerate(classes)}
    found = np.full((len(right), len(classes)), np.nan)
    for number in np.unique(fold):
        inside = fold == number
        others = table.filter(pl.Series(~inside))
        if not any(re.search(WORD, case) for case in others[CASE]):
            continue
        known = np.unique(right[~inside])
        found[inside] = 0
        if len(known) == 1:
            found[inside, place[str(known[0])]] = 1
            continue
        fitted = regression(table).fit(others, right[~inside])
        columns = [place[str(name)] for name in fitted.classes_]
        found[np.ix_(inside, columns)] = fitted.predict_proba(table.filter(pl.Series(inside)))
    return found
