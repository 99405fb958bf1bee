"""A batch's CSV parts, read exactly as PostgreSQL wrote them and verified as they pass; no Spark here.

A part is fetched once. Its bytes are hashed, unpacked and parsed a piece at a time, so memory follows the longest row and not
the part; at its end, its size, digest and rows must be the manifest's. COPY writes NULL as an unquoted empty field and the
empty string as a quoted one, which Arrow's parser keeps apart.

Arrow's own messages quote the record that they are about. So they are never passed on: an error says which part it is and what
is wrong with it.
"""

import functools
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from botocore.exceptions import BotoCoreError, ClientError
from pyarrow import csv as arrow_csv

from contracts.errors import StorageError
from contracts.protocol.manifest import Part
from glue_jobs.errors import IngestionDamagedError

#: Bytes that are fetched, unpacked and parsed at a time. A longer row is a longer piece.
PIECE_BYTES = 4 * 2**20
#: Column with the number of the manifest that names a row's part.
NUMBER = "_manifest"
#: A gzip file, as zlib is told it.
_GZIP = zlib.MAX_WBITS | 16
#: A name that has one of these is quoted.
_SPECIAL = frozenset(',"\r\n')
#: What to do about a part that is as it was written, and not as it should be.
_READ_ANEW = 'Let the extraction read everything anew ({"read": "everything"}).'


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: some of a table's parts.

    Attributes
    ----------
    batch, table
        For messages.
    bucket
        The ingestion bucket; parts are read by their exact keys, never by listing.
    columns
        The columns of every part, in order.
    is_numbered
        Whether a row comes with the number of the manifest that names its part.
    """

    batch: int
    table: str
    bucket: str
    columns: tuple[str, ...]
    is_numbered: bool = False

    @property
    def schema(self) -> pa.Schema:
        """What a record batch looks like: every column is text."""
        number = [pa.field(NUMBER, pa.int64())] if self.is_numbered else []
        return pa.schema([*[pa.field(name, pa.string()) for name in self.columns], *number])

    def damaged(
        self, part: Part, what: str, to_do: str = "Restore the object's original version; the next run goes on."
    ) -> IngestionDamagedError:
        """Return the error that says what is wrong with a part."""
        return IngestionDamagedError(
            f"Batch {self.batch}, table {self.table}: part {part.key} {what}. Nothing of the batch was published. {to_do}"
        )


def record_batches(client: Any, reading: Reading, part: Part) -> Iterator[pa.RecordBatch]:
    """Read a part, some rows at a time. What was given is true only when the iterator ends without an error.

    Parameters
    ----------
    client
        A boto3 S3 client.

    Raises
    ------
    IngestionDamagedError
        When the part is not what the manifest says: its size, its digest, its header, its rows, or how it is written.
    StorageError
        When S3 fails.
    """
    body = _Body(client, reading, part)
    rows = 0
    wrong = ""
    try:
        for piece in _pieces(_unpacked(body) if part.key.endswith(".gz") else body, _header(reading.columns)):
            batch = _parsed(piece, reading, part.key)
            rows += batch.num_rows
            yield batch
    except _MalformedError as error:
        wrong = str(error)
    except (pa.ArrowException, zlib.error):
        wrong = (
            f"does not read as {'gzip of ' if part.key.endswith('.gz') else ''}CSV with {len(reading.columns)} columns"
        )
    body.verify()
    if not wrong and rows != part.rows:
        wrong = f"holds {rows} rows, the manifest says {part.rows}"
    if wrong:
        raise reading.damaged(part, f"{wrong}, and its SHA-256 is right: it was written so", _READ_ANEW)


def on_executor(
    reading: Reading, groups: tuple[tuple[Part, ...], ...], numbers: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Read the groups of parts whose places are in the only column of `numbers`: for ``DataFrame.mapInArrow``."""
    for batch in numbers:
        for number in batch.column(0).to_pylist():
            for part in groups[number]:
                yield from record_batches(_client(), reading, part)


@functools.cache
def _client() -> Any:
    """Return this process's S3 client: a worker reads many parts."""
    import boto3

    return boto3.client("s3")


class _MalformedError(Exception):
    """What is wrong with a part, without its content."""


class _Body:
    """The blocks of an object, hashed as they pass."""

    def __init__(self, client: Any, reading: Reading, part: Part) -> None:
        self._reading, self._part = reading, part
        self._digest, self._size = hashlib.sha256(), 0
        try:
            self._stream = client.get_object(Bucket=reading.bucket, Key=part.key)["Body"]
        except (ClientError, BotoCoreError) as error:
            if isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in ("NoSuchKey", "404"):
                raise reading.damaged(part, "is missing") from None
            raise self._failed(error) from None

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            block: bytes = self._stream.read(PIECE_BYTES)
        except (BotoCoreError, OSError) as error:
            raise self._failed(error) from None
        if not block:
            raise StopIteration
        self._digest.update(block)
        self._size += len(block)
        return block

    def verify(self) -> None:
        """Read what is left, and compare the whole with the manifest."""
        for _ in self:
            pass
        if self._size != self._part.bytes:
            raise self._reading.damaged(self._part, f"has {self._size} bytes, the manifest says {self._part.bytes}")
        if self._digest.hexdigest() != self._part.sha256:
            raise self._reading.damaged(
                self._part, "has other content than was written: its SHA-256 is not the manifest's"
            )

    def _failed(self, error: Exception) -> StorageError:
        return StorageError(
            f"Batch {self._reading.batch}, table {self._reading.table}: part {self._part.key} cannot be read from bucket "
            f"{self._reading.bucket} ({type(error).__name__}). Nothing of the batch was published; the next run goes on."
        )


def _unpacked(blocks: Iterable[bytes]) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    for block in blocks:
        while block:
            if unpacker.eof:
                raise _MalformedError("goes on behind its end")
            yield unpacker.decompress(block, PIECE_BYTES)
            block = unpacker.unconsumed_tail or unpacker.unused_data
    if not unpacker.eof:
        raise _MalformedError("ends before its end")


def _pieces(blocks: Iterable[bytes], header: bytes) -> Iterator[bytes]:
    """Cut a CSV where rows end: each piece is a CSV of its own, with the header."""
    held: list[bytes] = []
    is_quoted = False
    unread = len(header)
    for block in blocks:
        if unread:
            start, block = block[:unread], block[unread:]
            if not header.startswith(start, len(header) - unread):
                raise _MalformedError("has other columns in its header than the manifest")
            unread -= len(start)
        end = _end_of_rows(block, is_quoted)
        if end:
            yield b"".join((header, *held, block[:end]))
            held, is_quoted = [], False
        held.append(block[end:])
        is_quoted ^= bool(block.count(b'"', end) % 2)
    if any(held) or unread:
        raise _MalformedError("ends within a row")


def _end_of_rows(block: bytes, is_quoted: bool) -> int:
    """Return where the last row of a block ends, or 0 when none does: behind a line feed outside quotes."""
    end, quotes = len(block), block.count(b'"') + is_quoted
    while (found := block.rfind(b"\n", 0, end)) >= 0:
        quotes -= block.count(b'"', found, end)
        if quotes % 2 == 0:
            return found + 1
        end = found
    return 0


def _header(columns: Iterable[str]) -> bytes:
    """Return the first row as COPY writes it."""
    return (
        ",".join('"' + name.replace('"', '""') + '"' if _SPECIAL & set(name) else name for name in columns) + "\n"
    ).encode()


def _parsed(piece: bytes, reading: Reading, key: str) -> pa.RecordBatch:
    """Parse a piece of the part `key`."""
    table = arrow_csv.read_csv(
        pa.BufferReader(piece),
        # One block and no threads: the piece is small, and other parts are read beside it.
        read_options=arrow_csv.ReadOptions(block_size=len(piece) + 1, use_threads=False),
        parse_options=arrow_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=arrow_csv.ConvertOptions(
            column_types={name: pa.string() for name in reading.columns},
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    columns = [column.combine_chunks() for column in table.columns]
    if reading.is_numbered:
        columns.append(pa.repeat(pa.scalar(_number(key), pa.int64()), table.num_rows))
    return pa.RecordBatch.from_arrays(columns, schema=reading.schema)


def _number(key: str) -> int:
    """Return the number of the manifest that names a part."""
    return int(key.rpartition("/")[2].partition("-")[0])
