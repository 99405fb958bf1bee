"""The one type map: Postgres ↔ Spark/Iceberg ↔ Athena ↔ warehouse ↔ Quick Sight."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataType:
    """One logical type and its name in every system that a value passes through.

    Attributes
    ----------
    name
        The logical name used in messages and in the data dictionary.
    source
        Spellings of ``format_type()`` that the source may use for it; a length or precision in
        parentheses is part of the spelling only where it limits the values (``numeric(10,2)``).
    spark
        Spark SQL (and so Iceberg) type of the lake column.
    athena
        Glue Data Catalog type, for tables that CDK defines.
    warehouse
        PostgreSQL type of the warehouse column.
    quicksight
        Type of a Quick Sight data set column.
    """

    name: str
    source: tuple[str, ...]
    spark: str
    athena: str
    warehouse: str
    quicksight: str

    @property
    def presto(self) -> str:
        """The type as Athena's own SQL calls it: that of a view's column."""
        return {"int": "integer", "string": "varchar", "timestamp": "timestamp(6)"}.get(self.athena, self.athena)


INTEGER = DataType("integer", ("integer", "smallint"), "int", "int", "integer", "INTEGER")
BIGINT = DataType("bigint", ("bigint", "integer", "smallint"), "bigint", "bigint", "bigint", "INTEGER")
MONEY = DataType("numeric(10,2)", ("numeric(10,2)",), "decimal(10,2)", "decimal(10,2)", "numeric(10,2)", "DECIMAL")
#: A sum of money, of one currency.
AMOUNT = DataType("numeric(38,2)", (), "decimal(38,2)", "decimal(38,2)", "numeric(38,2)", "DECIMAL")
TEXT = DataType("text", ("text", "character varying", "character"), "string", "string", "varchar", "STRING")
ENUM = DataType("enum", ("enum", "text", "character varying"), "string", "string", "varchar", "STRING")
#: A currency by its ISO 4217 code; nothing in the source guarantees that it is one.
CURRENCY_CODE = DataType(
    "ISO 4217 code", ("character varying", "text", "character"), "string", "string", "varchar", "STRING"
)
#: Seconds and their fractions: never money.
DOUBLE = DataType("double", (), "double", "double", "double precision", "DECIMAL")
BOOLEAN = DataType("boolean", ("boolean",), "boolean", "boolean", "boolean", "BOOLEAN")
DATE = DataType("date", ("date",), "date", "date", "date", "DATETIME")
#: An ISO ``yyyy-mm-dd`` date that the source keeps as text; nothing there guarantees that it is one.
ISO_DATE = DataType("ISO date as text", ("text", "character varying"), "date", "date", "date", "DATETIME")
#: Milliseconds, no time zone; the lake and the warehouse split it into a date and a time column.
TIMESTAMP = DataType(
    "timestamp(3)", ("timestamp without time zone",), "timestamp_ntz", "timestamp", "timestamp(3)", "DATETIME"
)
#: Iceberg on Spark has no TIME: ``HH:MM:SS.mmm`` text in the lake, ``time`` in the warehouse.
TIME = DataType("time", (), "string", "string", "time", "STRING")
#: A moment of the platform's own, UTC: when a batch's snapshot was taken.
MOMENT = DataType("timestamp(6)", (), "timestamp_ntz", "timestamp", "timestamp", "DATETIME")
