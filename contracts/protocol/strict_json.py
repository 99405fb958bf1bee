"""Strict JSON ↔ frozen dataclass: every field present, of exactly its type, and nothing else.

A document says its format. A field that came with a later format (`added`) is absent in documents of older formats, and read
with its default; in newer ones it must be there like any other. So a field is added in three steps: declare it with the next
format, raise ``FORMAT``, and let ``make golden`` keep documents of it. A document that lacks ``format`` itself is of the last
format in which its kind had none. Events and answers have no format: what they may leave out is `optional`.
"""

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

from contracts.errors import DamagedDocumentError, NewerDocumentError
from contracts.release import FORMAT, RELEASE

T = TypeVar("T")

_SINCE, _OPTIONAL = "since", "optional"


def added(version: int, default: Any) -> Any:
    """Declare a field that documents have from format `version` on; older ones are read with `default`."""
    return dataclasses.field(default=default, metadata={_SINCE: version})


def optional(default: Any) -> Any:
    """Declare a field that an event or an answer may leave out."""
    return dataclasses.field(default=default, metadata={_OPTIONAL: True})


def encode(document: Any) -> bytes:
    """Serialise a document as JSON with a stable order of keys: equal documents are equal bytes.

    It is written in its own format: without the fields that were added later.
    """
    return json.dumps(_plain(document, document.format), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def decode(cls: type[T], data: bytes, name: str) -> T:
    """Read `data` as an instance of the dataclass `cls`.

    Parameters
    ----------
    cls
        A dataclass whose fields are str, int, float, bool, another such dataclass, ``tuple[X, ...]``, ``dict[str, X]``, or a
        union of such types and None.
    data
        UTF-8 JSON.
    name
        What the document is called in messages, for example its S3 key.

    Raises
    ------
    DamagedDocumentError
        When anything is missing, unknown or of another type. Nothing is guessed or converted.
    NewerDocumentError
        When it is of a format that this release does not know.
    """
    try:
        value = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedDocumentError(f"{name}: not JSON ({error})") from None
    version = _version(cls, value)
    if not 1 <= version <= FORMAT:
        raise NewerDocumentError(
            f"{name}: has format {version}, this release ({RELEASE}) reads 1 to {FORMAT}: deploy {_writer(value)}"
        )
    try:
        return typing.cast(T, _read(cls, value, f"{name}:", version))
    except _UnknownFieldError as error:
        raise DamagedDocumentError(f"{error}. If it is no damage, deploy {_writer(value)}") from None


def read(cls: type[T], value: Any, name: str) -> T:
    """Read an event or an answer, which is JSON already, as an instance of the dataclass `cls`; see `decode`."""
    return typing.cast(T, _read(cls, value, f"{name}:", FORMAT))


def plain(value: Any) -> dict[str, Any]:
    """Return an event or an answer as JSON takes it; what is optional and has its default is left out."""
    return {
        f.name: _plain(getattr(value, f.name), FORMAT)
        for f in dataclasses.fields(value)
        if not is_optional(f) or getattr(value, f.name) != f.default
    }


def is_optional(field: dataclasses.Field[Any]) -> bool:
    """Tell whether an event or an answer may leave a field out."""
    return bool(field.metadata.get(_OPTIONAL))


class _UnknownFieldError(DamagedDocumentError):
    """A field that this release does not know."""


def _version(cls: Any, value: Any) -> int:
    version = value.get("format") if isinstance(value, dict) else None
    if type(version) is int:
        return version
    began = {f.name: f.metadata.get(_SINCE, 1) for f in dataclasses.fields(cls)}.get("format", 1)
    is_older = isinstance(value, dict) and "format" not in value and began > 1
    return began - 1 if is_older else FORMAT


def _writer(value: Any) -> str:
    release = value.get("release") if isinstance(value, dict) else None
    return (
        f"release {release} or newer" if isinstance(release, str) and release else "the release that wrote it or newer"
    )


def _plain(value: Any, version: int) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name), version) for f in _fields(value, version)}
    if isinstance(value, dict):
        return {key: _plain(item, version) for key, item in value.items()}
    return [_plain(item, version) for item in value] if isinstance(value, tuple) else value


def _fields(cls: Any, version: int) -> list[dataclasses.Field[Any]]:
    """Return the fields that a dataclass has in documents of format `version`."""
    return [f for f in dataclasses.fields(cls) if f.metadata.get(_SINCE, 1) <= version]


def _read(kind: Any, value: Any, path: str, version: int) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _read(_chosen(arguments, value), value, path, version)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, path, version)
    if origin is dict:
        _expect(dict, value, path)
        return {key: _read(arguments[1], item, f"{path}.{key}", version) for key, item in value.items()}
    if origin is tuple:
        _expect(list, value, path)
        return tuple(_read(arguments[0], item, f"{path}[{i}]", version) for i, item in enumerate(value))
    _expect(kind, value, path)
    return value


def _chosen(kinds: tuple[Any, ...], value: Any) -> Any:
    """Return which of the types of a union a value is read as: the one whose JSON it is, else the first, which refuses it."""
    for kind in kinds:
        json_type = {tuple: list, dict: dict}.get(typing.get_origin(kind) or kind, kind)
        if type(value) is json_type or (dataclasses.is_dataclass(kind) and type(value) is dict):
            return kind
    return kinds[0]


def _read_dataclass(cls: Any, value: Any, path: str, version: int) -> Any:
    _expect(dict, value, path)
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in _fields(cls, version)}
    if missing := sorted(n for n in fields.keys() - value.keys() if not is_optional(fields[n])):
        raise DamagedDocumentError(f"{path} lacks {', '.join(missing)}")
    if unknown := sorted(value.keys() - fields.keys()):
        raise _UnknownFieldError(f"{path} has unknown {', '.join(unknown)}")
    arguments = {n: _read(hints[n], value[n], f"{path}.{n}", version) for n in fields.keys() & value.keys()}
    try:
        return cls(**arguments)
    except ValueError as error:
        raise DamagedDocumentError(f"{path} {error}") from None


def _expect(kind: type, value: Any, path: str) -> None:
    if type(value) is not kind:  # bool is an int to isinstance, and no number here
        raise DamagedDocumentError(f"{path} is {type(value).__name__}, expected {kind.__name__}")
