"""COPY on libpq itself: whole rows of CSV, a chunk at a time."""

from collections.abc import Generator
from contextlib import suppress
from typing import NamedTuple

import psycopg
from psycopg import errors
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

CHUNK_BYTES = 64 * 2**10
#: Fewer changed rows than this are remembered by their keys.
KEYS = 200


class Chunk(NamedTuple):
    """Whole rows of CSV, how many, the key of the last one, and all keys where few are read; the header first, with 0 rows."""

    data: bytes
    rows: int
    last_key: int = 0
    keys: tuple[int, ...] | None = None


def copy_out(pgconn: PGconn, statement: bytes, remember: int = 0) -> Generator[Chunk]:
    """Run a COPY on libpq itself: a third faster than psycopg's cursor, and the same protocol.

    PostgreSQL sends one CopyData message for each row, the header being the first.

    Parameters
    ----------
    statement
        ``COPY … TO STDOUT`` as CSV with a header; the key comes first.
    remember
        As long as there are fewer rows than this, chunks tell all of their keys.

    Raises
    ------
    psycopg.Error
        When the server fails; nothing of what was yielded may be used.
    """
    started = pgconn.exec_(statement)
    if started.status != ExecStatus.COPY_OUT:
        raise errors.error_from_result(started)
    is_complete = False
    try:
        _, header = pgconn.get_copy_data(0)
        yield Chunk(bytes(header), 0)
        buffer, rows = bytearray(), 0
        last: bytes | memoryview = b""
        keys: list[int] = []
        while True:
            size, row = pgconn.get_copy_data(0)
            if size < 0:
                break
            buffer += row
            rows += 1
            last = row
            if remember:
                keys.append(_first_field(row))
                remember -= 1
            if len(buffer) >= CHUNK_BYTES:
                yield Chunk(bytes(buffer), rows, _first_field(last), tuple(keys) if remember else None)
                buffer, rows, keys = bytearray(), 0, []
        is_complete = True
    finally:
        if not is_complete:
            _abandon_copy(pgconn)
    while ended := pgconn.get_result():
        if ended.status != ExecStatus.COMMAND_OK:
            raise errors.error_from_result(ended)
    if rows:
        yield Chunk(bytes(buffer), rows, _first_field(last), tuple(keys) if remember else None)


def _first_field(row: bytes | memoryview) -> int:
    """Return the key of a row of CSV: its first field, a number."""
    return int(bytes(row).split(b",", 1)[0])


def _abandon_copy(pgconn: PGconn) -> None:
    """End a COPY whose rows nobody wants any more, so that its transaction can be rolled back."""
    with suppress(psycopg.Error):
        pgconn.get_cancel().cancel()
        while pgconn.get_copy_data(0)[0] >= 0:
            pass
    while pgconn.get_result():
        pass
