"""The messages: a subject line, a mail, and a text of 160 characters on which a person can act."""

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from contracts.alarms import Alarm
from lambdas.notify.causes import ALARMS, DATABASE, Cause, cause_of
from lambdas.notify.happening import AlarmChange, Failure
from lambdas.notify.incident import REMIND, Kind, Subject, Telling
from lambdas.notify.settings import NotifySettings

#: What SNS takes as a subject, and what one text message holds.
SUBJECT_CHARACTERS, SMS_CHARACTERS = 100, 160

_RUNBOOKS = {
    Subject.EXTRACT: Alarm.EXTRACT_FAILED,
    Subject.CHECK: Alarm.PUBLISH_FAILED,
    Subject.TRANSFORM: Alarm.PUBLISH_FAILED,
    Subject.LOAD: Alarm.LOAD_FAILED,
    Subject.MAINTENANCE: Alarm.PUBLISH_FAILED,
    Subject.PUBLISH: Alarm.PUBLISH_FAILED,
    Subject.FRESHNESS: Alarm.NOT_FRESH,
    Subject.ROWS: Alarm.ROWS_QUARANTINED,
}
_WAITS = (
    "The platform tries again by itself, within 30 minutes at the latest. Waiting is safe, and so is trying by hand."
)
_SAFE = {
    Subject.EXTRACT: "No batch was begun or committed. What changed waits in the source. " + _WAITS,
    Subject.CHECK: "Nothing was transformed or loaded. Batches wait in the ingestion bucket. " + _WAITS,
    Subject.TRANSFORM: "Nothing of the failing batch was published. Readers see the last good state. " + _WAITS,
    Subject.LOAD: "What was loaded before is in the warehouse, of the failing batch nothing is. Readers see the last good state. "
    + _WAITS,
    Subject.MAINTENANCE: "No batch waits for it, and no reader notices. Correct the cause, then ask for it again.",
    Subject.PUBLISH: "What was committed stays committed. Readers see the last good state. " + _WAITS,
    Subject.FRESHNESS: "Nothing is lost. The batch is committed and waits; readers see an older state. " + _WAITS,
    Subject.ROWS: "All other rows arrive. These are kept whole, and pass when they are corrected. Nothing stops.",
}


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent.

    Attributes
    ----------
    subject
        At most 100 ASCII characters.
    mail
        For people who read mail.
    sms
        At most 160 ASCII characters.
    """

    subject: str
    mail: str
    sms: str


def compose(settings: NotifySettings, telling: Telling, happening: Failure | AlarmChange, batch: int | None) -> Message:
    """Write the message.

    Parameters
    ----------
    batch
        The first batch that waits at the stage, or None when none does or it is not known.
    """
    if telling.kind is Kind.RECOVERED:
        return _recovered(settings, telling)
    subject = Subject(telling.incident.subject)
    cause = _cause(happening, subject)
    still = "still " if telling.kind is Kind.REMINDER else ""
    which = f" (batch {batch})" if batch else ""
    about = f"{settings.deployment} {subject} {still}fails{which}: {cause.what}"
    lines = [
        ("Environment", settings.deployment.partition("-")[2]),
        ("Stage", subject.value),
        ("Batch", str(batch) if batch else "none waits there" if subject is not Subject.EXTRACT else "none was begun"),
        ("Cause", f"{cause.what}{_name(happening)}"),
        *([("Detail", happening.detail)] if isinstance(happening, Failure) and happening.detail else []),
        ("What is safe", _SAFE[subject]),
        ("What to do", f"{cause.remedy[0].upper()}{cause.remedy[1:]}.{_mended(happening)}"),
        ("Runbook", f"{settings.runbooks}{_runbook(happening, subject)}.md"),
        ("Log", _log(settings, subject)),
        *(
            [("Execution", _execution(settings, happening.execution))]
            if isinstance(happening, Failure) and happening.execution
            else []
        ),
        ("Since", _time(telling.incident.since)),
        ("Next message", _next(telling)),
    ]
    return Message(
        _cut(about, SUBJECT_CHARACTERS),
        "\n".join(f"{name}: {text}" for name, text in lines),
        _sms(f"{settings.deployment} {subject} {still}fails", f"batch {batch}" if batch else "", cause, subject),
    )


def _recovered(settings: NotifySettings, telling: Telling) -> Message:
    subject = telling.incident.subject
    said = (
        "no row is quarantined any more"
        if subject == Subject.ROWS
        else "the newest batches are in the warehouse"
        if subject == Subject.FRESHNESS
        else "no failure for a while"
    )
    about = f"{settings.deployment} {subject} recovered: {said}"
    mail = f"{about}. It began at {_time(telling.incident.since)}. Nothing need be done."
    return Message(_cut(about, SUBJECT_CHARACTERS), f"{mail} Next message: {_next(telling)}", f"{about}.")


def _cause(happening: Failure | AlarmChange, subject: Subject) -> Cause:
    found = cause_of(happening.error) if isinstance(happening, Failure) else ALARMS[happening.alarm]
    database = "source" if subject is Subject.EXTRACT else "warehouse"
    return Cause(_ascii(found.what.replace(DATABASE, database)), found.remedy)


def _name(happening: Failure | AlarmChange) -> str:
    return f" ({happening.error})" if isinstance(happening, Failure) else f" (alarm {happening.alarm})"


def _runbook(happening: Failure | AlarmChange, subject: Subject) -> str:
    return happening.alarm if isinstance(happening, AlarmChange) else _RUNBOOKS[subject]


def _mended(happening: Failure | AlarmChange) -> str:
    if not isinstance(happening, Failure) or not happening.mended:
        return ""
    which = f"batch {happening.asked}" if happening.asked else "no batch yet"
    return f" A full reading of the source was asked for ({which}), and the next execution goes on with it: wait for that first."


def _next(telling: Telling) -> str:
    if telling.is_last:
        return "This is the last message about it for a day, whatever happens: look at it."
    if telling.kind is Kind.RECOVERED:
        return "when it fails again."
    return f"In {REMIND.seconds // 3600} hours if it goes on, when the cause is another one, and once when it is over."


def _sms(about: str, batch: str, cause: Cause, subject: Subject) -> str:
    """Write a text message; what it can spare is left out first."""
    safe = "Nothing lost." if subject is not Subject.ROWS else "Nothing stops."
    for which in (f", {batch}" if batch else "", ""):
        text = f"{about}{which}: {cause.what}. {safe} Do: {cause.remedy}."
        if len(text) <= SMS_CHARACTERS:
            return text
    return text


def _log(settings: NotifySettings, subject: Subject) -> str:
    groups = {
        Subject.EXTRACT: f"/aws/lambda/{settings.deployment}-extract",
        Subject.CHECK: f"/aws/lambda/{settings.deployment}-load",
        Subject.LOAD: f"/aws/lambda/{settings.deployment}-load",
        Subject.ROWS: f"/aws/lambda/{settings.deployment}-load",
    }
    group = groups.get(subject, f"/aws/vendedlogs/states/{settings.deployment}-publish")
    jobs = {Subject.TRANSFORM: "transform", Subject.MAINTENANCE: "maintenance"}
    if subject in jobs:
        return f"{_console(settings, 'gluestudio')}#/job/{settings.deployment}-{jobs[subject]}/runs"
    return f"{_console(settings, 'cloudwatch')}#logsV2:log-groups/log-group/{quote(group, safe='').replace('%', '$25')}"


def _execution(settings: NotifySettings, arn: str) -> str:
    return f"{_console(settings, 'states')}#/v2/executions/details/{arn}"


def _console(settings: NotifySettings, service: str) -> str:
    region = settings.aws_region
    return f"https://{region}.console.aws.amazon.com/{service}/home?region={region}"


def _time(iso: str) -> str:
    return f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M} UTC"


def _ascii(text: str) -> str:
    return "".join(character if " " <= character <= "~" else "?" for character in text)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 3]}..."
