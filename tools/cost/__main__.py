"""Write ``docs/cost.md``, or print the bill of one traffic: ``make cost``."""

import argparse
import json
from dataclasses import replace
from typing import Any

from cdk_app.jsii_node import use_supported_node

use_supported_node()

import aws_cdk as cdk

import app as composition
from cdk_app.settings import Settings, read_settings
from local.home import ROOT
from tools.cost.deployed import Deployed, deployed
from tools.cost.page import one, render
from tools.cost.prices import read_prices
from tools.cost.traffic import TOTESYS

#: Charged by nobody: the bundles need not be whole.
_UNSEEN = {"lambda_wheels": False}


def main() -> None:
    """Print the page, or with any figure of the traffic its bill alone."""
    parser = argparse.ArgumentParser(prog="python -m tools.cost", description=__doc__)
    parser.add_argument("--env", default="prod", help="environment of cdk.json; default: prod")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting that differs")
    parser.add_argument("--batches", type=float, help="batches a day")
    parser.add_argument("--rows", type=float, help="changed rows a day")
    parser.add_argument("--stored-days", type=int, help="days of such rows that are stored")
    parser.add_argument("--authors", type=int, help="authors in Quick Sight")
    parser.add_argument("--readers", type=int, help="readers in Quick Sight")
    parser.add_argument("--queries", type=int, help="queries of Athena a month")
    options = vars(parser.parse_args())
    changed = dict(pair.partition("=")[::2] for pair in options.pop("set"))
    settings, found = synthesised({"env": options.pop("env"), **changed})
    traffic = {name: value for name, value in options.items() if value is not None}
    if traffic:
        print(one(settings, replace(TOTESYS, name="asked for", **traffic), found, read_prices()))
    else:
        print(render(settings, found, read_prices()), end="")


def synthesised(context: dict[str, Any]) -> tuple[Settings, Deployed]:
    """Synthesise the stacks of some settings, and count what they consist of."""
    file = json.loads((ROOT / "cdk.json").read_text("utf-8"))
    app = cdk.App(context=file["context"])
    settings = read_settings({**_UNSEEN, **context}, file["context"]["environments"])
    composition.build(app, settings)
    return settings, deployed(stack.template for stack in app.synth().stacks)


if __name__ == "__main__":
    main()
