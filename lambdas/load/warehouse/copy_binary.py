"""Arrow record batches as the binary format of PostgreSQL's COPY, a column at a time.

Every value becomes its length and its bytes in network order; a row is the number of its columns and their values joined.
Nothing is done a row at a time in Python. The format is PostgreSQL's documented one (COPY, "Binary Format"), and the
bytes of a value are those that the type's ``recv`` function reads.
"""

import re
import sys
from array import array
from collections.abc import Callable, Sequence
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

#: Before the first row: signature, flags, length of the header extension.
HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
#: After the last row.
TRAILER = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
#: 2000-01-01, where PostgreSQL's dates and timestamps begin, in Arrow's.
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 86_400_000_000
#: `array` codes of the signed integers of two, four and eight bytes.
_SHORT, _INT, _LONG = "h", "i", "q"
_NUMERIC_NEGATIVE = 0x4000


def _number(value: int, type_: pa.DataType) -> pa.Scalar:
    # a plain number makes Arrow look for pandas first, and import it where it is
    return pa.scalar(value, type_)


_ZERO, _MINUS_ONE = _number(0, pa.int32()), _number(-1, pa.int32())
_HUNDRED, _TEN_THOUSAND = _number(100, pa.int64()), _number(10_000, pa.int64())


def encode(rows: pa.RecordBatch, types: Sequence[str]) -> bytes | memoryview:
    """Return rows as COPY reads them, without header and trailer.

    Parameters
    ----------
    rows
        Columns in the order of the COPY statement.
    types
        For each column the target's type, as ``format_type()`` spells it.

    Raises
    ------
    ValueError
        When a value does not have the form of its column's type.
    """
    if not rows.num_rows:
        return b""
    pieces: list[pa.Array] = [_repeated(len(types).to_bytes(2, "big"), rows.num_rows)]
    for name, column, type_ in zip(rows.schema.names, rows.columns, types, strict=True):
        try:
            pieces += _encoder(type_)(column)
        except pa.ArrowInvalid:
            raise ValueError(f"column {name} holds a value that does not fit type {type_}") from None
    joined = pc.binary_join_element_wise(*pieces, pa.scalar(b""), null_handling="replace", null_replacement=b"")
    return memoryview(joined.buffers()[2])[: pc.sum(pc.binary_length(joined)).as_py()]


def _encoder(type_: str) -> Callable[[pa.Array], list[pa.Array]]:
    return _ENCODERS[re.sub(r"\(.*\)| without time zone", "", type_)]


def _texts(column: pa.Array) -> list[pa.Array]:
    data = column.cast(pa.binary())
    lengths = pc.fill_null(pc.binary_length(data).cast(pa.int32()), _MINUS_ONE)
    return [_fixed({0: lengths}, _INT, 1), data]


def _booleans(column: pa.Array) -> list[pa.Array]:
    values = pc.if_else(column, pa.scalar(b"\0\0\0\1\1", pa.binary()), pa.scalar(b"\0\0\0\1\0", pa.binary()))
    return [pc.fill_null(values, pa.scalar(_NULL, pa.binary()))]


def _integers(column: pa.Array) -> list[pa.Array]:
    return [_nullable(column, _fixed({0: 4, 1: pc.fill_null(column, _ZERO)}, _INT, 2))]


def _dates(column: pa.Array) -> list[pa.Array]:
    return _integers(pc.subtract(column.cast(pa.int32()), _number(_EPOCH_DAYS, pa.int32())))


def _times(column: pa.Array) -> list[pa.Array]:
    """Write the lake's ``HH:MM:SS.mmm``, which Arrow reads as part of a timestamp only."""
    moments = pc.binary_join_element_wise(pa.scalar("1970-01-01 "), column, pa.scalar(""))
    return _longs(moments.cast(pa.timestamp("us")).cast(pa.int64()))


def _timestamps(column: pa.Array) -> list[pa.Array]:
    return _longs(
        pc.subtract(column.cast(pa.timestamp("us")).cast(pa.int64()), _number(_EPOCH_MICROSECONDS, pa.int64()))
    )


def _longs(column: pa.Array) -> list[pa.Array]:
    halves = _values(pc.fill_null(column, _number(0, pa.int64())), _INT)  # two a value
    low, high = (0, 1) if sys.byteorder == "little" else (1, 0)
    return [_nullable(column, _fixed({0: 8, 1: halves[high::2], 2: halves[low::2]}, _INT, 3))]


def _numerics(column: pa.Array) -> list[pa.Array]:
    """Write ``decimal(10, 2)`` as four digits before, four above them, and the fraction: digits are of base 10,000."""
    decimals = pc.fill_null(column, pa.scalar(Decimal(0), column.type)).cast(pa.decimal128(10, 2))
    low = _values(decimals, _LONG)[0::2]  # ten digits fit into the lower half
    unscaled = pa.Array.from_buffers(pa.int64(), len(column), [None, pa.py_buffer(low.tobytes())])
    size = pc.abs(unscaled)
    whole = pc.divide(size, _HUNDRED)
    upper = pc.divide(whole, _TEN_THOUSAND)
    digits = [
        upper,
        pc.subtract(whole, pc.multiply(upper, _TEN_THOUSAND)),
        pc.multiply(pc.subtract(size, pc.multiply(whole, _HUNDRED)), _HUNDRED),
    ]
    is_negative = pc.less(unscaled, _number(0, pa.int64()))
    sign = pc.if_else(is_negative, _number(_NUMERIC_NEGATIVE, pa.int16()), _number(0, pa.int16()))
    # length of 14 bytes; three digits, the first of weight 1; sign; two places shown; the digits
    shorts = {0: 0, 1: 14, 2: 3, 3: 1, 4: sign, 5: 2}
    shorts |= {6 + place: digit.cast(pa.int16()) for place, digit in enumerate(digits)}
    return [_nullable(column, _fixed(shorts, _SHORT, 9))]


def _fixed(items: dict[int, int | array | pa.Array], code: str, width: int) -> pa.Array:  # type: ignore[type-arg]
    """Return one binary value a row: `width` numbers in network order, each a column or the same in every row."""
    columns = {place: _values(item, code) if isinstance(item, pa.Array) else item for place, item in items.items()}
    count = next(len(item) for item in columns.values() if not isinstance(item, int))
    numbers = array(code, bytes(array(code).itemsize * width * count))
    for place, item in columns.items():
        numbers[place::width] = array(code, [item]) * count if isinstance(item, int) else item
    if sys.byteorder == "little":
        numbers.byteswap()
    return _binary(numbers.tobytes(), numbers.itemsize * width, count)


def _repeated(value: bytes, count: int) -> pa.Array:
    return _binary(value * count, len(value), count)


def _binary(data: bytes, width: int, count: int) -> pa.Array:
    offsets = array(_INT, range(0, width * count + 1, width))
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets.tobytes()), pa.py_buffer(data)])


def _nullable(column: pa.Array, values: pa.Array) -> pa.Array:
    return values if not column.null_count else pc.if_else(column.is_valid(), values, pa.scalar(_NULL, pa.binary()))


def _values(column: pa.Array, code: str) -> array:  # type: ignore[type-arg]
    """Return a column's own memory as numbers; its NULLs are arbitrary ones."""
    width = column.type.bit_width // 8
    start = column.offset * width
    numbers = array(code)
    numbers.frombytes(memoryview(column.buffers()[1])[start : start + len(column) * width])
    return numbers


#: Type of a column, without precision → how its values are written.
_ENCODERS: dict[str, Callable[[pa.Array], list[pa.Array]]] = {
    "integer": lambda column: _integers(column.cast(pa.int32())),
    "bigint": lambda column: _longs(column.cast(pa.int64())),
    "numeric": _numerics,
    "boolean": _booleans,
    "date": _dates,
    "time": _times,
    "timestamp": _timestamps,
    "character varying": _texts,
    "varchar": _texts,
    "text": _texts,
}
