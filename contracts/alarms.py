"""Names of the alarms: the deployment makes them, and whoever tells people knows what each one means."""

from enum import StrEnum


class Alarm(StrEnum):
    """An alarm, by the end of its name; each has a runbook of the same name."""

    EXTRACT_FAILED = "extract-failed"
    SOURCE_NOT_CHECKED = "source-not-checked"
    LOAD_FAILED = "load-failed"
    PUBLISH_FAILED = "publish-failed"
    PUBLISH_TIMED_OUT = "publish-timed-out"
    NOT_FRESH = "not-fresh"
    ROWS_QUARANTINED = "rows-quarantined"
    EVENTS_UNDELIVERED = "events-undelivered"


#: What tells the topic itself, because it rises when the function that tells people cannot.
BACKSTOP = Alarm.EVENTS_UNDELIVERED
