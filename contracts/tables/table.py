"""The vocabulary in which tables are described: columns, keys, references and how a table is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from contracts.errors import ContractConflictError
from contracts.tables.types import TEXT, DataType


class Reading(StrEnum):
    """How the extraction reads a source table."""

    CHANGED = "changed"  #: only rows whose ``xmin`` is not older than the previous batch's horizon
    WHOLE = "whole"  #: the whole table, together with its group, whenever any row of the group changed


class Kind(StrEnum):
    """What role a table of the lake plays."""

    FACT = "fact"
    DIMENSION = "dimension"
    HISTORY = "history"  #: every version of a dimension's rows
    LOG = "log"  #: what the platform keeps for itself: deletions and quarantined rows


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a source or star table.

    Attributes
    ----------
    name, type, description
        As they appear in every system.
    nullable
        Whether NULL is a legal value.
    references
        ``table.column`` that the value must exist in, or None.
    personal
        Whether values are personal data, which never appear in messages, logs or quarantine.
    """

    name: str
    type: DataType
    description: str
    nullable: bool = False
    references: str | None = None
    personal: bool = False


def text(
    name: str, description: str, *, nullable: bool = False, personal: bool = False, type: DataType = TEXT
) -> Column:
    """Return a column of text."""
    return Column(name, type, description, nullable=nullable, personal=personal)


@dataclass(frozen=True, slots=True)
class Table:
    """What source and star tables have in common."""

    name: str
    columns: tuple[Column, ...]
    key: str
    description: str

    def __post_init__(self) -> None:
        """Check that the key is one of the columns and never NULL, and no column is there twice."""
        for name in {name for name in self.column_names if self.column_names.count(name) > 1}:
            raise ContractConflictError(f"table {self.name} has column {name} twice")
        if self.key not in self.column_names:
            raise ContractConflictError(f"table {self.name} has no column {self.key}, which is its key")
        if self.column(self.key).nullable:
            raise ContractConflictError(f"table {self.name}: its key {self.key} may be NULL")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in physical order."""
        return tuple(c.name for c in self.columns)

    def column(self, name: str) -> Column:
        """Return the column called `name`.

        Raises
        ------
        KeyError
            When the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name}")


@dataclass(frozen=True, slots=True)
class SourceTable(Table):
    """A table of ``totesys``.

    Attributes
    ----------
    reading
        How the extraction reads it.
    group
        Tables that one dimension joins carry the same group, so that a batch has all or none of them.
    """

    reading: Reading = Reading.CHANGED
    group: str = ""


@dataclass(frozen=True, slots=True)
class StarTable(Table):
    """A table of the star schemas, in the lake and in the warehouse, or one that the lake has beside them.

    Attributes
    ----------
    key
        The business key: the column that identifies the thing described (of a fact: the order, not the record).
    kind
        What role it plays.
    record_id
        Surrogate primary key of a fact's version, assigned by the lake; empty for dimensions.
    source
        Source table that the key comes from; empty for the calendar and for what the platform keeps for itself.
    joins
        Further source tables that contribute columns.
    partitioning
        Iceberg partition transforms.
    """

    kind: Kind = Kind.DIMENSION
    record_id: str = ""
    source: str = ""
    joins: tuple[str, ...] = ()
    partitioning: tuple[str, ...] = field(default=())

    @property
    def primary_key(self) -> str:
        """Primary key in the warehouse: the record id of a fact, the key of a dimension."""
        return self.record_id or self.key

    @property
    def is_append_only(self) -> bool:
        """Whether rows are only ever added: versions of facts, days of the calendar."""
        return self.kind is Kind.FACT or (self.kind is Kind.DIMENSION and not self.source)

    @property
    def content_columns(self) -> tuple[Column, ...]:
        """Columns whose values make up a version's content: all but the record id."""
        return tuple(c for c in self.columns if c.name != self.record_id)


def check_references(tables: Mapping[str, Table], targets: Mapping[str, Table]) -> None:
    """Check that what columns refer to exists.

    Parameters
    ----------
    targets
        Tables that may be referred to.

    Raises
    ------
    ContractConflictError
        Naming the column and what it refers to.
    """
    for table in tables.values():
        for column in table.columns:
            target, _, key = (column.references or "").partition(".")
            if column.references and (target not in targets or key != targets[target].key):
                raise ContractConflictError(
                    f"column {table.name}.{column.name} refers to {column.references}, which is the key of no table"
                )


def check_sources(stars: Mapping[str, "StarTable"], sources: Mapping[str, Table]) -> None:
    """Check that what star tables are made of exists.

    Raises
    ------
    ContractConflictError
        Naming the table and what it is made of.
    """
    for table in stars.values():
        for name in filter(None, (table.source, *table.joins)):
            if name not in sources:
                raise ContractConflictError(f"table {table.name} is made of {name}, which is no table of the source")
        if table.kind is Kind.FACT and table.record_id not in table.column_names:
            raise ContractConflictError(f"table {table.name} has no column {table.record_id}, which is its record id")
