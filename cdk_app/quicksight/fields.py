"""Columns, measures and dimensions as a definition has them, in the names of CloudFormation, which are the service's own."""

from typing import Any

from analytics.dashboard.parts import DataSet, Measure, Unit
from contracts.tables.types import DATE

#: A piece of a definition.
Body = dict[str, Any]

_DECIMALS = {Unit.MONEY: 2, Unit.NUMBER: 0, Unit.SECONDS: 1}


def has(data: DataSet, name: str) -> bool:
    """Return whether a data set has a column."""
    return any(column.name == name for column in data.columns)


def column(data: DataSet, name: str) -> Body:
    """Return a column of a data set.

    Raises
    ------
    KeyError
        When the data set has no such column.
    """
    return {"DataSetIdentifier": data.name, "ColumnName": data.column(name).name}


def measure(data: DataSet, figure: Measure, field_id: str) -> Body:
    """Return a figure as a field."""
    return {
        "NumericalMeasureField": {
            "FieldId": field_id,
            "Column": column(data, figure.column),
            "AggregationFunction": {"SimpleNumericalAggregation": figure.aggregate.upper()},
            "FormatConfiguration": {
                "FormatConfiguration": {"NumberDisplayFormatConfiguration": _number_format(figure.unit)}
            },
        }
    }


def _number_format(unit: Unit) -> Body:
    shown: Body = {
        "DecimalPlacesConfiguration": {"DecimalPlaces": _DECIMALS[unit]},
        "SeparatorConfiguration": {
            "DecimalSeparator": "DOT",
            "ThousandsSeparator": {"Symbol": "COMMA", "Visibility": "VISIBLE"},
        },
        "NumberScale": "NONE",
    }
    return shown | ({"Suffix": " s"} if unit is Unit.SECONDS else {})


def newest(data: DataSet, name: str, field_id: str) -> Body:
    """Return the newest moment of a column as a field."""
    return {
        "DateMeasureField": {
            "FieldId": field_id,
            "Column": column(data, name),
            "AggregationFunction": "MAX",
            "FormatConfiguration": {"DateTimeFormat": "YYYY-MM-DD HH:mm:ss"},
        }
    }


def dimension(data: DataSet, name: str, field_id: str) -> Body:
    """Return a column as a field along an axis or of a colour: dates by month, moments by day."""
    kind = data.column(name).type
    field: Body = {"FieldId": field_id, "Column": column(data, name)}
    if kind.quicksight == "DATETIME":
        return {"DateDimensionField": field | {"DateGranularity": "MONTH" if kind == DATE else "DAY"}}
    if kind.quicksight in ("INTEGER", "DECIMAL"):
        return {"NumericalDimensionField": field}
    return {"CategoricalDimensionField": field}


def axis_name(data: DataSet, name: str) -> str:
    """Return what a reader calls an axis.

    Examples
    --------
    >>> from analytics.dashboard.description import SALES
    >>> axis_name(SALES, "design_name"), axis_name(SALES, "day")
    ('Design name', 'Month')
    """
    return "Month" if data.column(name).type == DATE else name.replace("_", " ").capitalize()
