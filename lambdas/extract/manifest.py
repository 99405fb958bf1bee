"""The manifest of what was read, and whether it says anything new."""

from collections.abc import Mapping

from contracts.protocol.manifest import Manifest, TableExtract, Witness
from contracts.release import FORMAT, RELEASE
from contracts.tables.source import SOURCE_TABLES
from contracts.tables.star import modelled
from lambdas.extract.plan import Outcome, Plan


def build_manifest(
    plan: Plan, outcome: Outcome, *, lake: str, extracted_at: str, witnesses: Mapping[str, Witness]
) -> Manifest:
    """Put together the manifest of what was read.

    Parameters
    ----------
    lake
        Name of the lake that the batch belongs to.
    extracted_at
        When the snapshot was taken by the clock of this machine, ISO 8601 in UTC.
    witnesses
        See `lambdas.extract.witness`.
    """
    return Manifest(
        format=FORMAT,
        release=RELEASE,
        batch=plan.batch,
        previous=plan.batch - 1 or None,
        first=plan.first,
        unfinished=outcome.unfinished,
        reason=plan.reason,
        source=plan.position.identity,
        horizon=plan.position.horizon,
        snapshot_time=plan.position.snapshot_time.isoformat(timespec="microseconds"),
        tables={
            name: TableExtract(
                read=outcome.reads.get(name, "nothing"),
                columns=plan.columns[name],
                parts=outcome.parts.get(name, ()),
                rows=sum(p.rows for p in outcome.parts.get(name, ())),
                key_parts=outcome.key_parts.get(name),
                source_count=plan.statistics[name].count,
                source_key_checksum=plan.statistics[name].key_checksum,
                reason=plan.reasons.get(name, "") if outcome.reads.get(name) == "whole" else "",
                shape=plan.shapes[name],
                witness=witnesses.get(name),
                modelled=modelled(name),
            )
            for name in SOURCE_TABLES
        },
        lake=lake,
        extracted_at=extracted_at,
        server_started=plan.position.server_started,
        time_zone=plan.position.time_zone,
    )


def news(plan: Plan, previous: Manifest | None) -> list[str]:
    """Return what the source has beyond the contract and the previous batch did not have: warnings about it, once."""
    found = []
    for name, columns in plan.columns.items():
        before = previous.tables[name].columns if previous else ()
        for column in columns:
            if column not in SOURCE_TABLES[name].column_names and column not in before:
                found.append(
                    f"column {name}.{column} is not in the contract: extracted and kept in the log, not remodelled"
                )
    refused = plan.position.identity.refused
    if refused and (previous is None or previous.source.refused != refused):
        found.append(
            f"the source refuses to tell its {', '.join(refused)}: every extraction looks at the witnesses' rows instead"
        )
    if plan.reason:
        found += [f"table {name} is not in the contract: not read" for name in plan.unknown_tables]
    return found


def adds_nothing(manifest: Manifest, previous: Manifest | None) -> bool:
    """Whether every row read was in the previous batch already.

    A transaction that stays open holds the horizon back, and the rows after it are read again each
    time; a batch with the same bytes as its predecessor would only cost a run.
    """
    if (
        previous is None
        or manifest.is_joined
        or manifest.unfinished
        or manifest.reason
        or any(t.reason or t.key_parts is not None for t in manifest.tables.values())
    ):
        return False
    return all(
        extract.read == "nothing" or extract.content == previous.tables[name].content
        for name, extract in manifest.tables.items()
    )
