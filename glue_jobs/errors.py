"""Typed errors of the Glue job."""


class TransformError(Exception):
    """Base of the errors that the job reports by name."""


class RejectedRowError(TransformError):
    """A source value cannot become what the contract says; nothing of its batch was published."""


class LakeReconciliationError(TransformError):
    """The lake's keys do not agree with the source's; nothing of the batch was published."""


class IngestionDamagedError(TransformError):
    """A part that a manifest names is missing or not what was written."""
