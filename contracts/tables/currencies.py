"""ISO 4217 names of currencies.

The names come from the pycountry library (see `tests/unit/contracts/test_tables.py`); they are
kept as data because a Glue job imports its code from a zip, which pycountry cannot read its own
files from.
"""

import json
from importlib import resources

CURRENCY_NAMES: dict[str, str] = json.loads(
    resources.files("contracts.tables").joinpath("iso4217.json").read_text("utf-8")
)
