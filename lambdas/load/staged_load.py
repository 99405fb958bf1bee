"""Load of a publication that is too large for one transaction's time: its rows are staged in pieces, then become visible at once.

The rows are copied into tables of the ledger's schema, one transaction a piece. A piece is some row groups of one file, and the
ledger remembers it with them, so a load that is stopped or killed goes on where it was, in the middle of a file too. Then one
transaction does what a small load does, from these tables instead of the files. What was staged of another publication, or for
other columns, is thrown away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import accumulate, takewhile

from psycopg import errors, sql

from contracts.protocol.listing import LISTED_TABLES
from contracts.protocol.publication import DataFile, Publication
from contracts.tables.table import StarTable
from lambdas.errors import AnotherLoadError, PublicationTooLargeError, ReconciliationError
from lambdas.load.lake_files import LakeFiles
from lambdas.load.loading import check_received, load_publication, lock_for, write_next, written_by
from lambdas.load.session import Clock
from lambdas.load.warehouse.gateway import Warehouse
from lambdas.load.warehouse.naming import STAGED_FILE
from lambdas.load.warehouse.statements import names

#: Rows that even a slow warehouse takes in a second. What may need longer than there is time is staged.
ROWS_A_SECOND = 250
#: Rows of a piece: what a killed load has copied in vain at most. A row group is never cut.
PIECE_ROWS = 100_000
#: Seconds before its end at which the exchange is given up, so that somebody is told.
TELLING_SECONDS = 10


class Outcome(Enum):
    """What became of a publication."""

    LOADED = auto()
    #: Another load had committed it.
    KNOWN = auto()
    #: A part of it is staged, and the time is over.
    STAGED = auto()


def load_in_time(warehouse: Warehouse, lake: LakeFiles, publication: Publication, clock: Clock) -> Outcome:
    """Load a publication at once when it surely fits into the time that is left, else in pieces.

    Raises
    ------
    PublicationTooLargeError
        When all of it is staged, and to make it visible takes longer than there is time; nothing was changed.
    CustodyError, PublicationGapError, ReconciliationError
        As `lambdas.load.loading.load_publication`.
    """
    if _rows(publication) <= ROWS_A_SECOND * clock.left:
        return Outcome.LOADED if load_publication(warehouse, lake, publication) else Outcome.KNOWN
    work = StagedLoad(warehouse, lake, publication)
    is_staged = work.fill(clock)
    if work.is_known:
        return Outcome.KNOWN
    if not is_staged or (work.pieces and not clock.may_exchange()):
        return Outcome.STAGED
    return Outcome.LOADED if work.exchange(clock) else Outcome.KNOWN


def _rows(publication: Publication) -> int:
    """Return how many rows are read of a publication: of a history all, of other tables' files those of the batch."""
    published = ((publication.tables[name], written_by(publication, table)) for name, table in LISTED_TABLES.items())
    return sum(table.rows if batch else sum(file.rows for file in table.files) for table, batch in published)


def discard(warehouse: Warehouse) -> None:
    """Drop whatever is staged; inside a transaction."""
    for table in LISTED_TABLES.values():
        warehouse.connection.execute(sql.SQL("drop table if exists {}").format(warehouse.naming.staged(table)))
    warehouse.connection.execute(sql.SQL("delete from {}").format(warehouse.naming.own(STAGED_FILE)))


@dataclass(frozen=True, slots=True)
class StagedRows:
    """The rows of a publication of which all is staged."""

    warehouse: Warehouse
    counts: dict[str, int]

    def append(self, table: StarTable) -> int:
        """Bring a fact's rows into its table; return how many."""
        return self.warehouse.append_staged(table, self.warehouse.naming.staged(table))

    def stage(self, table: StarTable) -> tuple[sql.Identifier, int]:
        """Return the table that has the rows, and how many they are."""
        return self.warehouse.naming.staged(table), self.counts.get(table.name, 0)


class StagedLoad:
    """One publication on its way.

    Attributes
    ----------
    pieces
        How many this run has copied.
    is_known
        Whether another load turned out to have committed the publication.
    """

    def __init__(self, warehouse: Warehouse, lake: LakeFiles, publication: Publication) -> None:
        self._warehouse = warehouse
        self._run = warehouse.connection.execute
        self._staged = warehouse.naming.staged
        self._files = warehouse.naming.own(STAGED_FILE)
        self._lake = lake
        self._publication = publication
        self._tables = [t for name, t in LISTED_TABLES.items() if publication.tables[name].files]
        self.pieces = 0
        self.is_known = False

    def fill(self, clock: Clock) -> bool:
        """Copy what is not staged yet, one piece at least, as long as there is time; return whether all is staged."""
        with self._warehouse.transaction(f"the staged tables of batch {self._publication.batch}"):
            whole = self._begin() if self._is_next() else set()
        for table in self._tables:
            for file in self._publication.tables[table.name].files:
                if file.key not in whole and not self._copy(table, file, clock):
                    return False
        return True

    def exchange(self, clock: Clock) -> bool:
        """Make what is staged visible, in one transaction; return False when another load had committed the publication."""
        counts = self._checked_counts()
        seconds = max(clock.remaining_seconds() - TELLING_SECONDS, 1)
        with self._warehouse.transaction(f"batch {self._publication.batch}"):
            self._run("select set_config('statement_timeout', %s, true)", (f"{seconds * 1000:.0f}",))
            try:
                rows = StagedRows(self._warehouse, counts)
                is_new = write_next(self._warehouse, self._lake.bucket, self._publication, rows)
            except errors.QueryCanceled:
                raise PublicationTooLargeError(self._too_large(seconds)) from None
            if is_new:
                discard(self._warehouse)
        return is_new

    def _is_next(self) -> bool:
        """Keep other loads out, and tell whether the publication is still to be loaded."""
        self.is_known = lock_for(self._warehouse, self._lake.bucket, self._publication) is None
        return not self.is_known

    def _begin(self) -> set[str]:
        """Create the tables to be filled, empty when what is in them is not of this publication; return the files that are whole."""
        rows = self._run(sql.SQL("select key, publication_digest, is_whole from {}").format(self._files)).fetchall()
        is_other = any(digest != self._publication.digest for _, digest, _ in rows)
        if is_other or not rows or any(self._columns(self._staged(t)) != self._live_columns(t) for t in self._tables):
            discard(self._warehouse)
            rows = []
        for table in self._tables:
            self._run(
                sql.SQL("create unlogged table if not exists {} as select {} from {} with no data").format(
                    self._staged(table), names(table.column_names), self._warehouse.naming.table(table)
                )
            )
        return {key for key, _, is_whole in rows if is_whole}

    def _columns(self, table: sql.Identifier) -> dict[str, str]:
        """Return a table's columns and their types; none when there is no such table."""
        rows = self._run(
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
            (table.as_string(self._warehouse.connection),),
        )
        return dict(rows.fetchall())

    def _live_columns(self, table: StarTable) -> dict[str, str]:
        found = self._columns(self._warehouse.naming.table(table))
        return {name: type_ for name, type_ in found.items() if name in table.column_names}

    def _copy(self, table: StarTable, file: DataFile, clock: Clock) -> bool:
        """Copy a file's pieces as long as there is time; return whether it is whole."""
        groups = self._lake.row_groups(table, file)
        is_whole = False
        while not is_whole and not self.is_known:
            if self.pieces and not clock.may_go_on():
                return False
            with self._warehouse.transaction(f"a piece of file {file.key}"):
                is_whole = self._is_next() and self._copy_piece(table, file, groups)
            self.pieces += 1
        return True

    def _copy_piece(self, table: StarTable, file: DataFile, groups: Sequence[int]) -> bool:
        """Copy the next row groups of a file, and remember them; return whether it is whole."""
        others = sql.SQL("select 1 from {} where publication_digest <> %s limit 1").format(self._files)
        if self._run(others, (self._publication.digest,)).fetchone():
            raise AnotherLoadError(
                f"Another load stages another publication than that of batch {self._publication.batch} which this one has read. "
                f"Nothing of the piece was kept; the next load looks which one is the lake's."
            )
        row = self._run(sql.SQL("select row_groups from {} where key = %s").format(self._files), (file.key,)).fetchone()
        done = row[0] if row else 0
        piece = _next_piece(groups, done)
        received = self._warehouse.copy(
            table,
            self._staged(table),
            self._lake.rows(table, [file], written_by(self._publication, table), row_groups=piece),
        )
        is_whole = done + len(piece) >= len(groups)
        self._run(
            sql.SQL(
                "insert into {} as f (key, table_name, publication_digest, row_groups, rows, is_whole) "
                "values (%s, %s, %s, %s, %s, %s) on conflict (key) do update set row_groups = excluded.row_groups, "
                "rows = f.rows + excluded.rows, is_whole = excluded.is_whole"
            ).format(self._files),
            (file.key, table.name, self._publication.digest, done + len(piece), received, is_whole),
        )
        return is_whole

    def _checked_counts(self) -> dict[str, int]:
        """Return how many rows of each table are staged; when they are not those that were published, throw them away."""
        problem = None
        with self._warehouse.transaction(f"the staged rows of batch {self._publication.batch}"):
            if not self._is_next():
                return {}
            rows = self._run(
                sql.SQL("select table_name, sum(rows)::bigint from {} group by table_name").format(self._files)
            )
            counts: dict[str, int] = dict(rows.fetchall())
            try:
                for table in LISTED_TABLES.values():
                    if written_by(self._publication, table):
                        check_received(self._publication, table.name, counts.get(table.name, 0))
            except ReconciliationError as error:
                problem = error
                discard(self._warehouse)
        if problem:
            raise problem
        return counts

    def _too_large(self, seconds: float) -> str:
        return (
            f"Batch {self._publication.batch} has {_rows(self._publication)} rows. They are staged in schema "
            f"{self._warehouse.naming.ledger}, and to bring them into the tables takes longer than the {seconds:.0f} seconds that "
            f"one load has. Nothing was changed, and the next load tries it again from what is staged. What helps: "
            f"docs/runbooks/load-failed.md."
        )


def _next_piece(groups: Sequence[int], done: int) -> list[int]:
    """Return the numbers of the row groups after the first `done` that together have `PIECE_ROWS` rows at most; one at least."""
    sums = accumulate(groups[done:])
    count = sum(1 for _ in takewhile(lambda rows: rows <= PIECE_ROWS, sums))
    return list(range(done, min(done + max(count, 1), len(groups))))
