"""Whether what the previous batch saw can be built upon, or must be read anew."""

from collections.abc import Mapping

from contracts.protocol.manifest import Manifest, Shape, SourceIdentity
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import modelled
from lambdas.extract.snapshot import COMPARABLE_AGE

#: From this format on a manifest tells what the tables were, and what was made of them.
TELLING_FORMAT = 3
_IDENTITY = {"system_identifier": "cluster", "timeline": "timeline", "database_oid": "database"}


def why_everything(previous: Manifest | None, identity: SourceIdentity, horizon: int, next_xid: int) -> str:
    """Return why this extraction must read everything, or "" when the previous horizon can be trusted."""
    if previous is None:
        return "first batch"
    for attribute, what in _IDENTITY.items():
        if another := _another(what, getattr(previous.source, attribute), getattr(identity, attribute)):
            return another
    if horizon < previous.horizon:
        return "the horizon went backwards"
    if next_xid - previous.comparable_from > COMPARABLE_AGE:
        return "the previous horizon is too old to compare transaction ids"
    if previous.format < TELLING_FORMAT:
        return (
            f"the manifest before is of format {previous.format}, which does not tell what the tables were and became"
        )
    return ""


def _another(what: str, before: str | int | None, now: str | int | None) -> str:
    """Return why one part of the identity is not the one before, or ""; what both times is refused says nothing."""
    if before == now:
        return ""
    if now is None:
        return f"the source told its {what} before ({before}) and refuses to tell it now: it may be another one"
    if before is None:
        return f"the source refused to tell its {what} before and tells it now ({now}): it may be another one"
    return f"the source is another {what} than before ({before}, now {now})"


def why_again(previous: Manifest, changes: Mapping[str, str]) -> str:
    """Return why an unfinished batch cannot be continued, or ""."""
    if previous.unfinished is None or not changes:
        return ""
    return "while the batch was being read, " + "; ".join(f"{name}: {change}" for name, change in changes.items())


def changes(previous: Manifest, shapes: Mapping[str, Shape]) -> dict[str, str]:
    """Return, for each table that must be read whole, what has changed since the previous batch: the table or the contract."""
    found = {}
    for name in SOURCE_TABLES:
        before, now = previous.tables[name], shapes[name]
        if name not in previous.tables:
            found[name] = "it is new in the contract"
        elif before.shape is not None and before.shape != now:
            found[name] = _difference(before.shape, now)
        elif gained := sorted(set(modelled(name)) - set(before.modelled)):
            found[name] = f"the contract has gained {', '.join(gained)}"
    return found


def _difference(before: Shape, now: Shape) -> str:
    if before.relation != now.relation:
        return f"it is another table than before (oid {before.relation}, now {now.relation})"
    if before.columns != now.columns:
        gone = [column for column in before.columns if column not in now.columns]
        come = [column for column in now.columns if column not in before.columns]
        return f"its columns were {'; '.join(gone) or 'fewer'} and are {'; '.join(come) or 'fewer'}"
    return f"other tables inherit from it than before ({len(before.children)}, now {len(now.children)})"
