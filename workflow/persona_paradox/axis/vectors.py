"""Vectors by which a model is steered: from the default to a persona, or to the mean of several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..errors import InputError
from .positions import Readings, mean_of


def vector_rows(
    view: Mapping[str, Any], tables: Mapping[str, Sequence[pl.DataFrame]]
) -> Iterator[dict[str, Any]]:
    """The rows of `steering.SCHEMA`, one for each depth.

    A vector is the mean, over the items of all tasks that both sides have, of the reading of the
    target less that of the default. A push is `scale` times it. A cap has its direction; nothing
    goes further along it than the quantile `cap` of the default's own readings (Lu et al. 2026 take
    a quartile of all of theirs).

    Args:
        view: of the steered persona.
        tables: persona → its readings, by the tasks of the view.

    Raises:
        InputError: no item has a reading on both sides, or both sides have the same.
    """
    for depth in view["depths"]:
        apart, starts = [], []
        layer = None
        for place in range(len(view["tasks"])):
            own = {id_: tables[id_][place].filter(depth=depth) for id_ in tables}
            item_ids = sorted(own[view["default"]]["item_id"].unique())
            read = {id_: Readings.of(table, item_ids) for id_, table in own.items()}
            default = read[view["default"]]
            between = mean_of([read[id_] for id_ in view["towards"]]) - default
            layer = own[view["default"]].item(0, "layer") if item_ids else layer
            apart += [between.vectors[between.there]] if between.there.any() else []
            starts += [default.vectors[between.there]] if between.there.any() else []
        names = " and ".join(view["tasks"])
        if not apart:
            raise InputError(
                f"no item of {names} has readings of {', '.join(view['towards'])} and of "
                f"{view['default']}, so that there is no vector between them; name other tasks in "
                "key `readings.vectors` of the study"
            )
        differences = np.concatenate(apart)
        vector = differences.mean(axis=0)
        length = float(np.linalg.norm(vector))
        if length == 0:
            raise InputError(
                f"{', '.join(view['towards'])} and {view['default']} have the same readings in "
                f"{names}, so that there is no vector between them; name another persona in key "
                "`steering.towards`, or other tasks in key `readings.vectors` of the study"
            )
        row: dict[str, Any] = {"layer": layer, "depth": depth, "n_items": len(differences)}
        if view["cap"] is None:
            yield row | {"vector": (vector * view["scale"]).tolist(), "most": None}
        else:
            unit = vector / length
            along = np.concatenate(starts) @ unit
            yield row | {"vector": unit.tolist(), "most": float(np.quantile(along, view["cap"]))}
