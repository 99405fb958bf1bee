"""The description as one definition, which the analysis and the dashboard share."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from analytics.dashboard.description import CURRENCY_COLOURS, PAGES
from analytics.dashboard.parts import CURRENCY, DataSet
from cdk_app.quicksight.data_sets import DATA_SETS
from cdk_app.quicksight.fields import Body, column, has
from cdk_app.quicksight.filters import filters
from cdk_app.quicksight.sheets import sheet
from cdk_app.quicksight.visuals import order_field
from contracts.release import RELEASE


def definition(arns: Mapping[str, str]) -> Body:
    """Return the definition.

    Parameters
    ----------
    arns
        ARN of each data set by its name.
    """
    chosen = filters()
    return {
        "DataSetIdentifierDeclarations": [{"Identifier": name, "DataSetArn": arns[name]} for name in DATA_SETS],
        "Sheets": [sheet(page, chosen) for page in PAGES],
        "FilterGroups": [filter_.group() for filter_ in chosen],
        "CalculatedFields": _orders(),
        "ColumnConfigurations": [_colours(data) for data in DATA_SETS.values() if has(data, CURRENCY)],
        "Options": {"WeekStart": "MONDAY"},
    }


def version() -> str:
    """Return what the version is called that is deployed: the release, and a digest of what is shown.

    Quick Sight lists versions with it, so a reader can tell whether the one that is published is the one that was deployed.
    """
    shown = json.dumps(definition({name: name for name in DATA_SETS}), sort_keys=True)
    return f"{RELEASE}, {hashlib.sha256(shown.encode()).hexdigest()[:12]}"


def _colours(data: DataSet) -> Body:
    """Return the colours of currencies, which hold wherever the column is a colour."""
    colours = [{"FieldValue": currency, "Color": colour} for currency, colour in CURRENCY_COLOURS.items()]
    return {"Column": column(data, CURRENCY), "ColorsConfiguration": {"CustomColors": colours}}


def _orders() -> list[Body]:
    """Return a calculated field for each column whose values have an order of their own: its place in the order."""
    ordered = {
        (visual.data.name, order_field(visual.data, visual.dimension)): (visual.dimension, visual.order)
        for page in PAGES
        for visual in page.visuals
        if visual.order
    }
    return [
        {"DataSetIdentifier": data, "Name": name, "Expression": _place(dimension, order)}
        for (data, name), (dimension, order) in ordered.items()
    ]


def _place(dimension: str, order: Sequence[str]) -> str:
    """Return the expression of a value's place; one that is not in the order comes last.

    Examples
    --------
    >>> _place("size", ("small", "large"))
    "ifelse({size} = 'small', 0, {size} = 'large', 1, 2)"
    """
    cases = "".join(f"{{{dimension}}} = '{value}', {place}, " for place, value in enumerate(order))
    return f"ifelse({cases}{len(order)})"
