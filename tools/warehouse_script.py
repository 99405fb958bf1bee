"""The script that prepares a warehouse by hand, for a login that may do nothing but load: ``make warehouse-script``."""

import argparse

from psycopg import sql

from contracts.tables.ledger import ledger_of
from contracts.tables.star import FACT_PURCHASE_ORDERS, STAR_TABLES
from lambdas.load.warehouse.ddl import create_star
from lambdas.load.warehouse.naming import Naming

ROLE = "totesys_load"
_INTRODUCTION = f"""-- The star tables, and the least that the load needs.
-- Written by `make warehouse-script`; a test keeps the two equal.
-- Run it as the owner of the warehouse, in its database; tables that exist are left as they are.
-- Then give the role a password (\\password {ROLE}) and store it in the secret. It may change rows of the star tables, and
-- nothing else of yours: views, ledger and dimensions' histories stand in a schema of its own.
"""


def render(naming: Naming, role: str = ROLE) -> str:
    """Return the script.

    Parameters
    ----------
    naming
        Where the star tables stand, and the schema that the role will own.
    role
        Name of the role, which must not exist.
    """
    statements: list[sql.Composable] = []
    if naming.schema != "public":
        statements.append(sql.SQL("create schema if not exists {}").format(sql.Identifier(naming.schema)))
    for table in STAR_TABLES.values():
        statements += create_star(naming, table)
    login = sql.Identifier(role)
    statements += [
        sql.SQL("create role {} login").format(login),
        sql.SQL(
            "do $$ begin execute format('grant connect, temporary on database %I to %I', current_database(), {}); end $$"
        ).format(sql.Literal(role)),
        sql.SQL("create schema {} authorization {}").format(sql.Identifier(naming.ledger), login),
        sql.SQL("grant usage on schema {} to {}").format(sql.Identifier(naming.schema), login),
        sql.SQL("grant select, insert, update, delete on {} to {}").format(
            sql.SQL(", ").join(map(naming.table, STAR_TABLES.values())), login
        ),
    ]
    return _INTRODUCTION + "".join(f"{statement.as_string(None)};\n" for statement in statements)


def main() -> None:
    """Print the script for the naming that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schema", default="public")
    parser.add_argument("--ledger", help="by default the one that goes with the schema")
    parser.add_argument("--purchase-orders", default=FACT_PURCHASE_ORDERS.name)
    parser.add_argument("--role", default=ROLE)
    options = parser.parse_args()
    ledger = options.ledger or ledger_of(options.schema)
    print(render(Naming(options.schema, ledger, options.purchase_orders), options.role), end="")


if __name__ == "__main__":
    main()
