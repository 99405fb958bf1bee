"""What people were told, kept in the processed bucket: numbered objects, each written once, so that one of two runs tells."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from contracts.errors import DamagedDocumentError, DuplicateNumberError
from contracts.protocol.bucket import Bucket
from contracts.protocol.newest import newest_number, note_newest
from contracts.protocol.object_layout import NOTICE_PREFIX, notice_key
from contracts.protocol.strict_json import decode, encode
from contracts.release import FORMAT, RELEASE
from lambdas.notify.happening import AlarmChange, Failure
from lambdas.notify.incident import State, Telling, decide
from lambdas.observability import logger

#: How often a run that lost the race looks again.
ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Notice:
    """What was the matter after a change of it.

    Attributes
    ----------
    state
        All that is the matter.
    run
        What wrote it: two runs write different bytes.
    format, release
        As in the other documents.
    """

    state: State
    run: str
    format: int
    release: str


class Memory:
    """What people were told, in one bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def note(self, happening: Failure | AlarmChange, clock: Callable[[], datetime]) -> tuple[Telling, ...]:
        """Note that something has happened, and return what this run, and no other, must tell.

        Raises
        ------
        StorageError
            When the bucket fails.
        DuplicateNumberError
            When others were always faster.
        """
        for attempt in range(1, ATTEMPTS + 1):
            number, state = self._newest()
            changed, tellings = decide(state, happening, clock())
            if not tellings and changed == state:
                return ()
            try:
                self._put(number + 1, changed)
            except DuplicateNumberError:
                if attempt == ATTEMPTS:
                    raise
                continue
            return tellings
        raise AssertionError("unreachable")

    def forget(self, telling: Telling) -> None:
        """Note that a message could not be sent: whatever happens next, it is told."""
        number, state = self._newest()
        kept = tuple(
            replace(incident, told=incident.told[:-1], is_open=False)
            if incident.subject == telling.incident.subject
            else incident
            for incident in state.incidents
        )
        self._put(number + 1, replace(state, incidents=kept))

    def _newest(self) -> tuple[int, State]:
        number = newest_number(self._bucket, NOTICE_PREFIX)
        if not number:
            return 0, State()
        key = notice_key(number)
        try:
            return number, decode(Notice, self._bucket.get(key), key).state
        except DamagedDocumentError as error:  # better told twice than not at all
            logger.warning("what was told is forgotten", detail=str(error))
            return number, State()

    def _put(self, number: int, state: State) -> None:
        notice = Notice(state, uuid.uuid4().hex, FORMAT, RELEASE)
        self._bucket.put_once(notice_key(number), encode(notice))
        note_newest(self._bucket, NOTICE_PREFIX, number, logger.warning)
