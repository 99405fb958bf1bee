"""The price list: ``prices.json``, of one region and one date."""

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Price:
    """One list price.

    Attributes
    ----------
    usd, unit
        What it costs, and what of.
    source
        Where the figure was found.
    is_confirmed
        Whether that place states the figure, and is AWS's own or agrees with it.
    """

    usd: float
    unit: str
    source: str
    is_confirmed: bool


@dataclass(frozen=True, slots=True)
class Prices:
    """The list.

    Attributes
    ----------
    region, date
        Where they hold, and when they were looked up.
    """

    region: str
    date: str
    prices: dict[str, Price]

    def __getitem__(self, name: str) -> float:
        """Return a price in USD."""
        return self.prices[name].usd


def read_prices() -> Prices:
    """Read the list."""
    found = json.loads(Path(__file__).with_name("prices.json").read_text("utf-8"))
    return Prices(found["region"], found["date"], {name: Price(*row) for name, row in found["prices"].items()})
