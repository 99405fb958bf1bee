"""Strict JSON ↔ frozen dataclass: every field present, of exactly its type, and nothing else.

A document says its format. A field that was added later (`added`) is absent in documents of older formats, and read with
its default; in newer ones it must be there like any other.
"""

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

from contracts.errors import DamagedDocumentError

T = TypeVar("T")


_SINCE = "since"


def added(version: int, default: Any) -> Any:
    """Declare a field that documents have from format `version` on; older ones are read with `default`."""
    return dataclasses.field(default=default, metadata={_SINCE: version})


def encode(document: Any) -> bytes:
    """Serialise a document as JSON with a stable order of keys: equal documents are equal bytes.

    It is written in its own format: without the fields that were added later.
    """
    return json.dumps(_plain(document, document.format), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def decode(cls: type[T], data: bytes, name: str, newest: int) -> T:
    """Read `data` as an instance of the dataclass `cls`.

    Parameters
    ----------
    cls
        A dataclass whose fields are str, int, bool, another such dataclass, ``tuple[X, ...]``,
        ``dict[str, X]`` or ``X | None``.
    data
        UTF-8 JSON.
    name
        What the document is called in messages, for example its S3 key.
    newest
        Newest format that is read.

    Raises
    ------
    DamagedDocumentError
        When anything is missing, unknown or of another type. Nothing is guessed or converted.
    """
    try:
        value = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedDocumentError(f"{name}: not JSON ({error})") from None
    version = value.get("format") if isinstance(value, dict) else None
    if type(version) is int and not 1 <= version <= newest:
        raise DamagedDocumentError(
            f"{name}: has format {version}, this release reads 1 to {newest}: deploy the release that wrote it or newer"
        )
    return typing.cast(T, _read(cls, value, f"{name}:", version if type(version) is int else newest))


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
        return None if value is None else _read(next(a for a in arguments if a is not type(None)), value, path, version)
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


def _read_dataclass(cls: Any, value: Any, path: str, version: int) -> Any:
    _expect(dict, value, path)
    hints = typing.get_type_hints(cls)
    names = {f.name for f in _fields(cls, version)}
    if missing := sorted(names - value.keys()):
        raise DamagedDocumentError(f"{path} lacks {', '.join(missing)}")
    if unknown := sorted(value.keys() - names):
        raise DamagedDocumentError(f"{path} has unknown {', '.join(unknown)}")
    arguments = {n: _read(hints[n], value[n], f"{path}.{n}", version) for n in names}
    try:
        return cls(**arguments)
    except ValueError as error:
        raise DamagedDocumentError(f"{path} {error}") from None


def _expect(kind: type, value: Any, path: str) -> None:
    if type(value) is not kind:  # bool is an int to isinstance, and no number here
        raise DamagedDocumentError(f"{path} is {type(value).__name__}, expected {kind.__name__}")
