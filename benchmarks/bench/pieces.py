"""A run of one kind of workload, put together with what earlier runs found of the others."""

from collections.abc import Mapping
from typing import Any

from .results import Row

Results = dict[str, Any]
"""What `Report.to_json` returns."""

_BY_ROW = ("medians", "configurations", "ratios")


def put_together(new: Results, old: Results | None) -> Results:
    """Return new results with those rows of old ones that the new run did not measure.

    Old results of another machine or of other settings are not used.
    """
    if old is None or any(old.get(part) != new[part] for part in ("machine", "settings")):
        return new
    found = {name for name, row in new["medians"].items() if row["values"]}
    together = dict(new)
    for part in _BY_ROW:
        kept = {name: value for name, value in old[part].items() if name not in found}
        together[part] = {**new[part], **kept}
    targets = {target["name"]: target for target in old["targets"]}
    together["targets"] = [
        target if target["value"] is not None else targets.get(target["name"], target) for target in new["targets"]
    ]
    together["correctness"] = {
        **new["correctness"],
        "deviation": _larger(new["correctness"]["deviation"], old["correctness"]["deviation"]),
        "agreement": {**old["correctness"]["agreement"], **new["correctness"]["agreement"]},
    }
    together["idle_cores"] = _larger(new["idle_cores"], old["idle_cores"])
    together["others_cores"] = max(new["others_cores"], old["others_cores"])
    for part in ("cold_seconds", "share_of_matmul"):
        together[part] = new[part] or old[part]
    together["notes"] = list(dict.fromkeys([*old["notes"], *new["notes"]]))
    return together


def row_of(results: Results, name: str) -> Row:
    """Return one row of results."""
    median = results["medians"][name]
    configurations = results["configurations"].get(name, {})
    return Row(name, median["unit"], median["values"], median["unit"] == "/s", configurations)


def _larger(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**other, **one}}
