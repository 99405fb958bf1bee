"""The local Athena: statements in Athena's own SQL over the deployed catalog, run by DuckDB.

The emulator's engine would paste files into the statement's text. Here a statement is parsed in Athena's dialect, each table and
view that it names is made a view of an empty DuckDB, and the statement runs over those: so views of the catalog are run as they
were deployed, and an error is about the user's statement.
"""

from local.emulator.athena.service import install

__all__ = ["install"]
