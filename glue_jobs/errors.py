"""Typed errors of the Glue job."""


class TransformError(Exception):
    """Base of the errors that the job reports by name."""


class LakeReconciliationError(TransformError):
    """The lake's keys do not agree with the source's; nothing of the batch was published."""


class IngestionDamagedError(TransformError):
    """A part that a manifest names is missing or not what was written."""


class ConflictError(TransformError):
    """Another run has committed to a table since this one looked at it; nothing was committed."""


class OvertakenError(TransformError):
    """Another run is further than this one: it has transformed this batch, and more."""


class ReplayError(TransformError):
    """A replay that cannot be done as it is asked for; nothing was done."""
