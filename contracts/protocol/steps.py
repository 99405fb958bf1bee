"""What the functions and the state machine ask of each other, and what they answer.

Each is a frozen dataclass that the strict decoder reads: `contracts.protocol.strict_json.read` and ``plain``.
"""

from dataclasses import dataclass, fields
from enum import StrEnum

from contracts.protocol.strict_json import is_optional, optional

#: Field of the state machine's input that says what started it, and what the recovery schedule says there.
TRIGGER, SCHEDULE = "trigger", "schedule"
#: Mode of the job, and field of the state machine's input that asks for one.
MODE = "mode"
#: What asks the state machine for a replay: batches `first` to `last` into a database.
FROM, TO, INTO = "from", "to", "into"
#: What is dropped: ``table.column``, several with commas between them.
COLUMNS = "columns"


class Mode(StrEnum):
    """What the state machine can be asked for beside moving what is pending."""

    MAINTAIN = "maintain"
    REBUILD = "rebuild"
    TAKE_OVER = "take_over"
    DROP_COLUMNS = "drop_columns"


class JobMode(StrEnum):
    """What the Glue job can be run for."""

    TRANSFORM = "transform"
    MAINTAIN = "maintain"
    LIST = "list"
    REPLAY = "replay"
    DROP_COLUMNS = "drop_columns"


class Step(StrEnum):
    """What the load function can be asked for."""

    LOAD = "load"
    CHECK_PENDING = "check_pending"
    REBUILD = "rebuild"
    DROP_COLUMNS = "drop_columns"


class Stage(StrEnum):
    """Where something can fail, as the state machine tells the notify function."""

    EXTRACT = "extract"
    CHECK = "check"
    TRANSFORM = "transform"
    LOAD = "load"
    MAINTENANCE = "maintenance"


@dataclass(frozen=True, slots=True)
class ExtractEvent:
    """What the extract function is asked for.

    Attributes
    ----------
    trigger
        What started it: ``schedule``, ``reconciliation``, or whatever a person writes.
    continues
        Number of the manifest that the run is to continue.
    keys
        ``all``, or the tables whose complete key lists are wanted.
    read
        ``everything``, or the tables of which every row is wanted.
    link
        How many times in a row the function has invoked itself.
    """

    trigger: str = optional("")
    continues: int | None = optional(None)
    keys: str | tuple[str, ...] = optional(())
    read: str | tuple[str, ...] = optional(())
    link: int = optional(0)


@dataclass(frozen=True, slots=True)
class ExtractAnswer:
    """What an extraction did.

    Attributes
    ----------
    batch
        Number of the manifest that it committed, or None.
    is_whole
        Whether nothing is left of the batch.
    reason
        Why everything, or a table, was read whole, or why there is no batch.
    rows
        Rows read, by table.
    gave_way
        Whether it gave way to a command that waits for a table, and kept nothing.
    waits
        Whether it did nothing, because another extraction was at work, or nobody has filled the source's secret.
    seconds
        How long it took.
    """

    batch: int | None
    is_whole: bool
    reason: str
    rows: dict[str, int]
    gave_way: bool = optional(False)
    waits: bool = optional(False)
    seconds: float = optional(0.0)


@dataclass(frozen=True, slots=True)
class LoadEvent:
    """What the load function is asked for.

    Attributes
    ----------
    step
        One of `Step`.
    take_over
        Of a rebuild: whether the warehouse becomes this lake's, whatever it was.
    columns
        Of `Step.DROP_COLUMNS`: what is dropped.
    trigger
        What started it.
    """

    step: str = optional(Step.LOAD.value)
    take_over: bool = optional(False)
    columns: str = optional("")
    trigger: str = optional("")

    def __post_init__(self) -> None:
        """Check the step."""
        if self.step not in [*Step]:
            raise ValueError(f"has step {self.step!r}, expected one of {', '.join(Step)}")


@dataclass(frozen=True, slots=True)
class LoadAnswer:
    """What a load did.

    Attributes
    ----------
    loaded
        Batches that it loaded.
    last
        Newest batch in the warehouse, or 0.
    waits
        Whether another load was at work until the time was over.
    freshness
        For how many seconds the oldest batch has waited that the warehouse does not show; 0 when none does.
    quarantined
        Rows of the newest publication that are quarantined.
    keys_wanted, wanted
        Source tables whose key lists tell what was deleted, and how many they are.
    more
        Whether it has come further, and stopped because its time was over: the next load goes on there.
    reason
        Why nothing was loaded, where that is no error: nobody has filled the warehouse's secret.
    seconds
        How long it took.
    """

    loaded: tuple[int, ...]
    last: int
    waits: bool
    freshness: float
    quarantined: int
    keys_wanted: tuple[str, ...]
    wanted: int
    more: bool
    reason: str = optional("")
    seconds: float = optional(0.0)


@dataclass(frozen=True, slots=True)
class PendingAnswer:
    """What is pending.

    Attributes
    ----------
    batches, published
        Number of the newest whole batch, and of the newest publication.
    untransformed
        Their difference.
    full_pending
        Whether a full batch waits behind the first pending one.
    waits_seconds
        For how long the first pending one has waited; None when none is pending or it cannot be read.
    """

    batches: int
    published: int
    untransformed: int
    full_pending: bool
    waits_seconds: float | None = optional(None)


@dataclass(frozen=True, slots=True)
class RebuildAnswer:
    """How far a rebuild is.

    Attributes
    ----------
    done
        Whether no other invocation is needed.
    last
        Newest batch in the warehouse, or 0.
    waits
        Whether another load or rebuild was at work until the time was over.
    seconds
        How long it took.
    """

    done: bool
    last: int = optional(0)
    waits: bool = optional(False)
    seconds: float = optional(0.0)


@dataclass(frozen=True, slots=True)
class DropAnswer:
    """What was dropped.

    Attributes
    ----------
    dropped
        Columns, as ``table.column``, that the warehouse does not have any more.
    seconds
        How long it took.
    """

    dropped: tuple[str, ...]
    seconds: float = optional(0.0)


@dataclass(frozen=True, slots=True)
class FailureEvent:
    """What the state machine tells the notify function of an execution that fails.

    Attributes
    ----------
    stage
        One of `Stage`.
    error, cause
        As the state machine caught them.
    execution
        Its ARN.
    asked
        Number of the full batch that was asked for to mend it, or None when there is none.
    mended
        Whether one was asked for.
    """

    stage: str
    error: str
    cause: str
    execution: str
    asked: int | None = optional(None)
    mended: bool = optional(False)

    def __post_init__(self) -> None:
        """Check the stage."""
        if self.stage not in [*Stage]:
            raise ValueError(f"has stage {self.stage!r}, expected one of {', '.join(Stage)}")


@dataclass(frozen=True, slots=True)
class NotifyAnswer:
    """Whether people were told.

    Attributes
    ----------
    told
        Subject of the message, or "" when it had been told before.
    """

    told: str


def answered(path: str, answer: type, field: str, *, if_present: bool = False) -> str:
    """Return the path, in a state machine's data, of a field of an answer.

    Parameters
    ----------
    path
        Where the answer is kept.
    if_present
        Whether the field may be left out, because it is asked first whether it is there.

    Raises
    ------
    AttributeError
        When the answer has no such field, or leaves it out when it has its default.
    """
    for known in fields(answer):
        if known.name == field and (if_present or not is_optional(known)):
            return f"{path}.{field}"
    raise AttributeError(f"{answer.__name__} does not always have {field}")
