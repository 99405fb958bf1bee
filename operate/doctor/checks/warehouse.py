"""The warehouse: whether a load would find all that it needs, and whether the ledger is this lake's."""

from collections.abc import Generator, Iterator
from contextlib import closing

from contracts.errors import CustodyError
from contracts.protocol.bucket import Bucket
from contracts.protocol.progress import newest_publication_number, read_publication
from lambdas.errors import PrivilegeError, WarehouseSchemaError
from lambdas.load.custody import Custody, Owner, check_empty, check_owner
from lambdas.load.warehouse.ledger import Ledger
from lambdas.load.warehouse.naming import OWNER, Naming
from lambdas.load.warehouse.prepare import missing_tables
from operate.doctor.checks.database import Connection, clock, connected, looking, row
from operate.doctor.checks.readiness import check_readiness
from operate.doctor.checks.stacks import is_deployed
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.platform import Platform

#: Older servers get no security updates any more, and nothing is tested with them.
LEAST_VERSION = 12_00_00


def check_warehouse(platform: Platform) -> Iterator[Finding]:
    """Look at the warehouse with the login that the load function has."""
    connection = yield from connected(platform, "warehouse")
    if connection is None:
        return
    settings = platform.settings
    naming = Naming(settings.warehouse_schema, settings.ledger, settings.warehouse_purchase_orders)
    with closing(connection), looking(connection):
        if connection.info.server_version < LEAST_VERSION:
            yield Kind.WAREHOUSE_VERSION.found(
                f"The warehouse is PostgreSQL {connection.info.server_version // 10000}."
            )
            return
        yield from _writable(connection)
        is_ready = yield from _ready(connection, naming)
        if is_ready:
            yield from _owner(connection, naming, platform)
        yield from clock(connection, "warehouse")


def _writable(connection: Connection) -> Iterator[Finding]:
    is_standby, is_read_only = row(
        connection, "select pg_is_in_recovery(), current_setting('default_transaction_read_only') = 'on'"
    )
    yield from writable_findings(is_standby=is_standby, is_read_only=is_read_only)


def writable_findings(*, is_standby: bool, is_read_only: bool) -> Iterator[Finding]:
    """Tell of a warehouse that takes no changes."""
    if is_standby:
        yield Kind.WAREHOUSE_READ_ONLY.found("The warehouse is a standby.")
    elif is_read_only:
        yield Kind.WAREHOUSE_READ_ONLY.found("default_transaction_read_only is on for the warehouse's login.")


def _ready(connection: Connection, naming: Naming) -> Generator[Finding, None, bool]:
    try:
        check_readiness(connection, naming)
    except WarehouseSchemaError as error:
        yield Kind.WAREHOUSE_SCHEMA.found(str(error))
    except PrivilegeError as error:
        yield Kind.WAREHOUSE_GRANT.found(str(error))
    else:
        version = connection.info.server_version // 10000
        yield fine(f"The warehouse is PostgreSQL {version} and has, or lets the load make, all that it needs.")
        return True
    return False


def _owner(connection: Connection, naming: Naming, platform: Platform) -> Iterator[Finding]:
    """Look whose the ledger is; what a load would refuse later is told now."""
    ledger = Ledger(connection, naming)
    has_ledger = row(connection, "select to_regclass(%s) is not null", naming.own(OWNER).as_string(connection))[0]
    custody = ledger.custody() if has_ledger else Custody(naming.ledger, None, None)
    lake = _lake(platform)
    try:
        if not missing_tables(connection, naming):
            check_empty(custody, ledger.filled_facts())
        check_owner(custody, Owner(lake or "", platform.bucket("processed"), naming.schema))
    except CustodyError as error:
        yield Kind.WAREHOUSE_OWNER.found(str(error))
        return
    if lake is None and custody.last:
        yield Kind.WAREHOUSE_OWNER.found(
            f"Ledger {custody.ledger} has batch {custody.last}, and this lake has published nothing yet."
        )
    else:
        yield fine(f"Ledger {custody.ledger} is this lake's." if custody.last else f"Ledger {custody.ledger} is free.")


def _lake(platform: Platform) -> str | None:
    """Return the name of the lake; None when it has published nothing."""
    if not is_deployed(platform, "storage"):
        return None
    bucket = Bucket(platform.client("s3"), platform.bucket("processed"))
    number = newest_publication_number(bucket)
    return read_publication(bucket, number).lake if number else None
