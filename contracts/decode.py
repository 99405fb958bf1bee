"""Strict JSON ↔ frozen dataclass: every field present, of exactly its type, and nothing else."""

import dataclasses
import json
import types
import typing
from typing import Any, TypeVar

from contracts.errors import DamagedDocumentError

T = TypeVar("T")


def encode(document: Any) -> bytes:
    """Serialise a dataclass as JSON with a stable order of keys: equal documents are equal bytes."""
    return json.dumps(dataclasses.asdict(document), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def decode(cls: type[T], data: bytes, name: str) -> T:
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

    Raises
    ------
    DamagedDocumentError
        When anything is missing, unknown or of another type. Nothing is guessed or converted.
    """
    try:
        value = json.loads(data)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DamagedDocumentError(f"{name}: not JSON ({error})") from None
    return typing.cast(T, _read(cls, value, f"{name}:"))


def _read(kind: Any, value: Any, path: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if value is None else _read(next(a for a in arguments if a is not type(None)), value, path)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, path)
    if origin is dict:
        _expect(dict, value, path)
        return {key: _read(arguments[1], item, f"{path}.{key}") for key, item in value.items()}
    if origin is tuple:
        _expect(list, value, path)
        return tuple(_read(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    _expect(kind, value, path)
    return value


def _read_dataclass(cls: Any, value: Any, path: str) -> Any:
    _expect(dict, value, path)
    hints = typing.get_type_hints(cls)
    names = {f.name for f in dataclasses.fields(cls)}
    if missing := sorted(names - value.keys()):
        raise DamagedDocumentError(f"{path} lacks {', '.join(missing)}")
    if unknown := sorted(value.keys() - names):
        raise DamagedDocumentError(f"{path} has unknown {', '.join(unknown)}")
    arguments = {n: _read(hints[n], value[n], f"{path}.{n}") for n in names}
    try:
        return cls(**arguments)
    except ValueError as error:
        raise DamagedDocumentError(f"{path} {error}") from None


def _expect(kind: type, value: Any, path: str) -> None:
    if type(value) is not kind:  # bool is an int to isinstance, and no number here
        raise DamagedDocumentError(f"{path} is {type(value).__name__}, expected {kind.__name__}")
