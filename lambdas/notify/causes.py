"""Causes in plain words: what each error means, and the first thing to do about it."""

from dataclasses import dataclass

from contracts.alarms import Alarm

#: Names of what ends a function or a run without an error of its own.
TIMED_OUT, KILLED, NOT_STARTED = "TimedOut", "Killed", "NotStarted"
#: Stands, in a cause, for the database of the stage.
DATABASE = "{database}"


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause and its remedy, short enough for a text message.

    Attributes
    ----------
    what
        What is the matter; at most 52 characters.
    remedy
        What to do; at most 44 characters.
    """

    what: str
    remedy: str


CAUSES = {
    # of the functions: lambdas/errors.py
    "PlatformError": Cause("a function failed", "read its log"),
    "EventError": Cause("it was asked for something unknown", "correct the input and ask again"),
    "NetworkError": Cause("a function does not reach AWS", "check its subnets' routes and endpoints"),
    "SecretUnsetError": Cause("the {database}'s secret is not filled yet", "store the 5 fields as JSON"),
    "SecretError": Cause("the {database}'s secret is missing or malformed", "store the 5 fields as JSON"),
    "DatabaseUnreachableError": Cause("the {database} cannot be reached", "check its server, network, certificate"),
    "LoginRefusedError": Cause("the {database} refused the login", "store the new password in the secret"),
    "PrivilegeError": Cause("the login may not do all it must in the {database}", "grant what the mail names"),
    "SourceSchemaError": Cause("the source's tables are not as agreed", "restore them, or deploy the release for them"),
    "SourceReadError": Cause("the source failed while it was read", "look for locks and load there"),
    "SourceMovedError": Cause("tables changed while they were read", "wait for that work to end"),
    "AnotherExtractionError": Cause("another extraction was at work all the time", "ask again later"),
    "PublicationGapError": Cause("a publication is missing", "restore the object that the mail names"),
    "ListingMissingError": Cause("a rebuild has no list of files", "start it by the state machine"),
    "WarehouseSchemaError": Cause("the warehouse's tables are not as agreed", "alter them as the mail says"),
    "WarehouseWriteError": Cause("the warehouse refused a batch", "mend what the mail names (disk, constraint)"),
    "PublicationTooLargeError": Cause("a batch is too large for one load", "let the login own the tables, or rebuild"),
    "WarehouseBusyError": Cause("the warehouse is locked or restarting", "wait; else end the session that locks"),
    "AnotherLoadError": Cause("another load was at work all the time", "wait"),
    "ReconciliationError": Cause("warehouse and lake do not agree", "find who wrote there, then rebuild"),
    # of the contracts: contracts/errors.py
    "ContractError": Cause("a document was refused", "read the log"),
    "ContractConflictError": Cause("what was asked for contradicts the contract", "ask for something else"),
    "DamagedDocumentError": Cause("a document cannot be read", "restore the object that the mail names"),
    "NewerDocumentError": Cause("a document is of a newer release", "deploy that release"),
    "StorageError": Cause("S3 refused or failed", "check bucket policy and AWS status"),
    "CustodyError": Cause("documents belong to different lakes", "read the runbook before anything else"),
    "DuplicateNumberError": Cause("another run committed the batch first", "wait"),
    # of the job: glue_jobs/errors.py
    "TransformError": Cause("the transform job failed", "wait; after 3 alike read the runbook"),
    "LakeReconciliationError": Cause("lake and source do not agree", "wait: everything is read anew"),
    "IngestionDamagedError": Cause("a part of a batch is missing or damaged", "wait: everything is read anew"),
    "ConflictError": Cause("another run wrote the same table", "wait"),
    "OvertakenError": Cause("another run is further: a publication is gone", "restore the publication"),
    "ReplayError": Cause("a replay cannot be done as asked", "ask again as the mail says"),
    # of what runs them
    TIMED_OUT: Cause("it took too long and was stopped", "look at its log: what does it wait for?"),
    KILLED: Cause("it was killed, or had no memory left", "wait; if it comes back, give it more memory"),
    NOT_STARTED: Cause("AWS did not start it in time", "look at the account's Lambda limits"),
}

ALARMS = {
    Alarm.EXTRACT_FAILED: Cause("the extract function failed", "read its log"),
    Alarm.SOURCE_NOT_CHECKED: Cause("no extraction has ended well for long", "is its schedule on? read its log"),
    Alarm.LOAD_FAILED: Cause("the load function failed", "read its log"),
    Alarm.PUBLISH_FAILED: Cause("the state machine failed", "open its last execution"),
    Alarm.PUBLISH_TIMED_OUT: Cause("an execution took over 3 hours", "open the job's last run"),
    Alarm.NOT_FRESH: Cause("the warehouse lags behind the source", "start the state machine with {}"),
    Alarm.ROWS_QUARANTINED: Cause("rows of the source fail checks", "correct them in the source"),
    Alarm.EVENTS_UNDELIVERED: Cause("an event could not be delivered", "read the queue's messages"),
}


def cause_of(error: str) -> Cause:
    """Return the cause for an error's name; one that the platform does not know is for its log."""
    return CAUSES.get(error) or Cause(f"unexpected: {error[:40]}", "read the log")
