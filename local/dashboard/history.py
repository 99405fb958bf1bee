"""What the Platform page shows beside its charts: the way of a batch, the batches, what is quarantined, and alarms."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from psycopg import sql

from cdk_app.settings import Settings
from contracts.errors import ContractError
from contracts.protocol.bucket import Bucket
from contracts.protocol.object_layout import manifest_key
from contracts.protocol.progress import (
    newest_manifest_number,
    newest_publication_number,
    read_batch,
    read_publication,
)
from contracts.tables.lake import QUARANTINE
from contracts.tables.ledger import BATCH, BATCH_TABLE
from local.dashboard.data import BATCHES_SHOWN, Reader
from local.errors import LocalError
from local.query import query
from local.servers.emulator_process import client
from local.status import freshness, status

#: How old, in minutes, a batch may be that the warehouse does not show, before the alarm.
FRESHNESS_MINUTES: int = Settings.model_fields["freshness_minutes"].default
#: How many quarantined rows are shown.
HELD_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the ledger knows of a batch: rows over all star tables."""

    batch: int
    snapshot_time: datetime
    published_at: datetime
    loaded_at: datetime
    inserted: int
    updated: int
    deleted: int

    @property
    def seconds(self) -> float:
        """From the source's snapshot to the warehouse."""
        return max(0.0, (self.loaded_at - self.snapshot_time).total_seconds())


@dataclass(frozen=True, slots=True)
class Documents:
    """What the documents of a batch add.

    Attributes
    ----------
    rows_read
        Rows extracted from the source.
    taken_at, committed_at, published_at
        When the extraction began and ended, and when the lake showed it; None for what has not happened.
    quarantined
        Rows that are quarantined after it, or None.
    """

    rows_read: int
    taken_at: datetime
    committed_at: datetime
    published_at: datetime | None = None
    quarantined: int | None = None

    def seconds(self, loaded_at: datetime | None) -> dict[str, float | None]:
        """Return how long each stage took; None for one that has not ended."""
        moments = (self.taken_at, self.committed_at, self.published_at, loaded_at)
        return {
            stage: max(0.0, (end - begin).total_seconds()) if begin and end else None
            for stage, begin, end in zip(("extract", "transform", "load"), moments, moments[1:], strict=False)
        }


@dataclass(frozen=True, slots=True)
class TableRows:
    """What the warehouse has of a star table, and what its newest batch did to it."""

    table: str
    current: int | None
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the platform stands now: newest numbers, and the age in seconds of the oldest batch that waits."""

    batch: int
    publication: int
    waits: float


@dataclass(frozen=True, slots=True)
class Held:
    """A quarantined row: personal values are masked in the lake already."""

    table: str
    key: int
    column: str
    value: str
    reason: str
    since_batch: int


@dataclass(frozen=True, slots=True)
class Alarms:
    """Alarms by name, and the last error."""

    states: dict[str, str]
    last_error: dict[str, str] | None


def loaded_batches(reader: Reader) -> list[Loaded]:
    """Return the newest batches of the warehouse, the newest first."""
    statement = sql.SQL(
        "select b.batch, b.snapshot_time, b.published_at, b.loaded_at, coalesce(sum(t.inserted), 0)::bigint, "
        "coalesce(sum(t.updated), 0)::bigint, coalesce(sum(t.deleted), 0)::bigint "
        "from {} b left join {} t using (batch) group by 1, 2, 3, 4 order by 1 desc limit {}"
    ).format(reader.ledger(BATCH), reader.ledger(BATCH_TABLE), sql.Literal(BATCHES_SHOWN))
    return [Loaded(*row) for row in reader.rows(statement)]


def tables(reader: Reader) -> list[TableRows]:
    """Return the star tables, with what the newest batch did."""
    statement = sql.SQL(
        "select distinct on (table_name) table_name, current_keys, "
        "case when batch = newest then inserted else 0 end, case when batch = newest then updated else 0 end, "
        "case when batch = newest then deleted else 0 end "
        "from {0}, (select max(batch) as newest from {1}) n order by table_name, batch desc"
    ).format(reader.ledger(BATCH_TABLE), reader.ledger(BATCH))
    return [TableRows(*row) for row in reader.rows(statement)]


def standing(platform: dict[str, str], loaded: int) -> Standing:
    """Return where the platform stands; `loaded` is the newest batch of the warehouse.

    Raises
    ------
    PlatformDownError
        When the local AWS does not answer.
    """
    s3 = client(platform, "s3")
    ingestion = Bucket(s3, platform["ingestion_bucket"])
    publication = newest_publication_number(Bucket(s3, platform["processed_bucket"]))
    return Standing(newest_manifest_number(ingestion), publication, freshness(ingestion, loaded))


def documents(platform: dict[str, str], batches: Sequence[int]) -> dict[int, Documents]:
    """Read the documents of some batches; one that is missing or damaged is left out."""
    if not batches:
        return {}
    s3 = client(platform, "s3")
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda batch: _documents(s3, platform, batch), batches)
        return {batch: read for batch, read in zip(batches, found, strict=True) if read}


def held(platform: dict[str, str]) -> list[Held]:
    """Return the rows that are quarantined now, as Athena shows them.

    Raises
    ------
    LocalError
        When there is no such table yet, or Athena does not answer.
    """
    frame = query(
        platform,
        "select source_table, source_key, column_name, value, reason, opened_batch "
        f"from {QUARANTINE.name} where closed_batch is null order by opened_batch desc, source_table, source_key "
        f"limit {HELD_SHOWN}",
    )
    rows = frame.astype(object).where(frame.notna(), None).itertuples(index=False)
    return [Held(str(t), int(k), str(c), "NULL" if v is None else str(v), str(r), int(b)) for t, k, c, v, r, b in rows]


def alarms(platform: dict[str, str]) -> Alarms:
    """Return the alarms and the last error.

    Raises
    ------
    LocalError
        When the platform does not answer.
    """
    found = status(platform)
    return Alarms(dict(found["alarms"]), found["last_error"])


def _documents(s3: Any, platform: dict[str, str], batch: int) -> Documents | None:
    ingestion, processed = (Bucket(s3, platform[f"{name}_bucket"]) for name in ("ingestion", "processed"))
    try:
        manifest = read_batch(ingestion, batch)
        listed = s3.list_objects_v2(Bucket=platform["ingestion_bucket"], Prefix=manifest_key(batch))
        committed = listed["Contents"][0]["LastModified"].astimezone(UTC)
        rows = sum(extract.rows for extract in manifest.tables.values())
        taken = datetime.fromisoformat(manifest.taken_at)
        if newest_publication_number(processed) < batch:
            return Documents(rows, taken, committed)
        publication = read_publication(processed, batch)
    except (ContractError, KeyError):
        return None
    quarantined = sum(table.quarantined for table in publication.tables.values())
    return Documents(rows, taken, committed, datetime.fromisoformat(publication.published_at), quarantined)


def safely(read: Any, *arguments: Any) -> tuple[Any, str]:
    """Return what `read` returns, and "" or why it returned nothing: one part of a page must not take down the others."""
    try:
        return read(*arguments), ""
    except (LocalError, ContractError) as error:
        return None, str(error)
    except (BotoCoreError, ClientError) as error:
        return None, f"The local AWS does not answer ({type(error).__name__})."
