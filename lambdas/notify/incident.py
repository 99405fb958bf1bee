"""What is the matter, and whether people must be told of it: decided here, from what they were told before."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from contracts.alarms import Alarm
from contracts.protocol.steps import Stage
from lambdas.notify.happening import AlarmChange, Failure

#: What goes on is told again after so long.
REMIND = timedelta(hours=8)
#: Another cause of the same failure is told when the last message is older than this.
SETTLED = timedelta(hours=1)
#: What nobody was told of for so long is forgotten: what happens then is told as new.
FORGOTTEN = timedelta(hours=24)
#: Messages about one subject in 24 hours.
MOST = 6


class Subject(StrEnum):
    """What people are told about: a stage, or what only an alarm tells."""

    EXTRACT = "extract"
    CHECK = "check"
    TRANSFORM = "transform"
    LOAD = "load"
    MAINTENANCE = "maintenance"
    PUBLISH = "publish"
    FRESHNESS = "freshness"
    ROWS = "rows"


class Kind(StrEnum):
    """Why a message is sent."""

    FIRST = "first"
    OTHER_CAUSE = "other cause"
    REMINDER = "reminder"
    RECOVERED = "recovered"


#: The alarms that show a subject: it is over when none of them is up.
SHOWN_BY = {
    Subject.EXTRACT: {Alarm.EXTRACT_FAILED, Alarm.SOURCE_NOT_CHECKED},
    Subject.CHECK: {Alarm.LOAD_FAILED, Alarm.PUBLISH_FAILED, Alarm.NOT_FRESH},
    Subject.TRANSFORM: {Alarm.PUBLISH_FAILED, Alarm.NOT_FRESH},
    Subject.LOAD: {Alarm.LOAD_FAILED, Alarm.PUBLISH_FAILED, Alarm.NOT_FRESH},
    Subject.MAINTENANCE: {Alarm.PUBLISH_FAILED},
    Subject.PUBLISH: {Alarm.PUBLISH_FAILED, Alarm.PUBLISH_TIMED_OUT, Alarm.NOT_FRESH},
    Subject.FRESHNESS: {Alarm.NOT_FRESH},
    Subject.ROWS: {Alarm.ROWS_QUARANTINED},
}
#: Alarms that a subject explains beside those that show it: an execution that asks for key lists fails with the extraction.
ALSO_EXPLAINED = {Subject.EXTRACT: {Alarm.PUBLISH_FAILED}}
#: What an alarm is about when nothing explains it.
_ABOUT = {
    Alarm.EXTRACT_FAILED: Subject.EXTRACT,
    Alarm.SOURCE_NOT_CHECKED: Subject.EXTRACT,
    Alarm.LOAD_FAILED: Subject.LOAD,
    Alarm.PUBLISH_FAILED: Subject.PUBLISH,
    Alarm.PUBLISH_TIMED_OUT: Subject.PUBLISH,
    Alarm.NOT_FRESH: Subject.FRESHNESS,
    Alarm.ROWS_QUARANTINED: Subject.ROWS,
}


@dataclass(frozen=True, slots=True)
class Incident:
    """Something is the matter, or was within the last day.

    Attributes
    ----------
    subject
        One of `Subject`.
    since
        When it began, UTC.
    is_open
        Whether it goes on.
    told
        When people were told, within the last day.
    errors
        Names of the errors that they were told.
    """

    subject: str
    since: str
    is_open: bool
    told: tuple[str, ...]
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class State:
    """All that is the matter.

    Attributes
    ----------
    incidents
        One for each subject.
    alarms
        Those that are up.
    """

    incidents: tuple[Incident, ...] = ()
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Telling:
    """A message that must be sent.

    Attributes
    ----------
    kind
        Why.
    incident
        What it is about.
    is_last
        Whether it is the last one about its subject for a day.
    """

    kind: Kind
    incident: Incident
    is_last: bool = False


def decide(state: State, happening: Failure | AlarmChange, now: datetime) -> tuple[State, tuple[Telling, ...]]:
    """Return what is the matter after something has happened, and what people must be told.

    A failure is told when it begins, when its cause is another one, and every `REMIND` while it goes on. An alarm is told when
    nothing that people know of explains it. The end is told once, when none of the alarms that show it is up. Nobody gets more
    than `MOST` messages about one subject in 24 hours.
    """
    state = _without_old(state, now)
    if isinstance(happening, Failure):
        return _failed(state, _subject(happening.stage), happening.error, now)
    if happening.is_up:
        return _rose(state, happening.alarm, now)
    return _fell(state, happening.alarm, now)


def _subject(stage: Stage) -> Subject:
    return Subject(stage.value)


def _failed(state: State, subject: Subject, error: str, now: datetime) -> tuple[State, tuple[Telling, ...]]:
    known = _find(state, subject)
    if known is None or not known.is_open:
        begun = Incident(subject, now.isoformat(), True, known.told if known else (), (error,))
        return _tell(state, Kind.FIRST, begun, now)
    if error not in known.errors and (not known.errors or _age(known, now) >= SETTLED):
        return _tell(state, Kind.OTHER_CAUSE, replace(known, errors=(*known.errors, error)), now)
    if all(_age(incident, now) >= REMIND for incident in state.incidents if incident.is_open):
        return _tell(state, Kind.REMINDER, known, now)
    return state, ()


def _rose(state: State, alarm: Alarm, now: datetime) -> tuple[State, tuple[Telling, ...]]:
    if alarm in state.alarms:
        return state, ()
    state = replace(state, alarms=(*state.alarms, alarm))
    explained = any(
        incident.is_open
        and alarm in SHOWN_BY[Subject(incident.subject)] | ALSO_EXPLAINED.get(Subject(incident.subject), set())
        for incident in state.incidents
    )
    if explained or alarm not in _ABOUT:
        return state, ()
    known = _find(state, _ABOUT[alarm])
    begun = Incident(_ABOUT[alarm], now.isoformat(), True, known.told if known else (), ())
    return _tell(state, Kind.FIRST, begun, now)


def _fell(state: State, alarm: Alarm, now: datetime) -> tuple[State, tuple[Telling, ...]]:
    if alarm not in state.alarms:
        return state, ()
    state = replace(state, alarms=tuple(name for name in state.alarms if name != alarm))
    told: list[Telling] = []
    for incident in state.incidents:
        shown_by = SHOWN_BY[Subject(incident.subject)]
        if incident.is_open and alarm in shown_by and not shown_by & {*state.alarms}:
            state, telling = _tell(state, Kind.RECOVERED, replace(incident, is_open=False), now)
            told += telling
    return state, tuple(told)


def _tell(state: State, kind: Kind, incident: Incident, now: datetime) -> tuple[State, tuple[Telling, ...]]:
    """Put the incident's new state in, and have it told unless it was told too often."""
    others = tuple(other for other in state.incidents if other.subject != incident.subject)
    if len(incident.told) >= MOST:
        return replace(state, incidents=(*others, incident)), ()
    incident = replace(incident, told=(*incident.told, now.isoformat()))
    is_last = len(incident.told) == MOST
    return replace(state, incidents=(*others, incident)), (Telling(kind, incident, is_last),)


def _find(state: State, subject: Subject) -> Incident | None:
    return next((incident for incident in state.incidents if incident.subject == subject), None)


def _age(incident: Incident, now: datetime) -> timedelta:
    """Return how long ago people were last told of it."""
    return now - datetime.fromisoformat(incident.told[-1]) if incident.told else FORGOTTEN


def _without_old(state: State, now: datetime) -> State:
    """Forget what was told more than a day ago, and what nobody was told of since."""
    recent = (
        replace(i, told=tuple(at for at in i.told if now - datetime.fromisoformat(at) < FORGOTTEN))
        for i in state.incidents
    )
    return replace(
        state,
        incidents=tuple(i for i in recent if i.told or (i.is_open and SHOWN_BY[Subject(i.subject)] & {*state.alarms})),
    )
