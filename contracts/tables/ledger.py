"""The ledger of a warehouse: in which schema it stands, and what its tables of batches are called."""

#: One row a batch that was loaded, and one row for each table that a batch holds.
BATCH, BATCH_TABLE = "batch", "batch_table"
#: Schema of the ledger of a warehouse whose star tables stand in ``public``.
_LEDGER = "etl"


def ledger_of(schema: str) -> str:
    """Return the schema of the ledger that goes with the star tables in `schema`, where no setting names another.

    So warehouses in several schemas of one database have a ledger each.

    Examples
    --------
    >>> ledger_of("public"), ledger_of("dev")
    ('etl', 'etl_dev')
    """
    return _LEDGER if schema == "public" else f"{_LEDGER}_{schema}"
