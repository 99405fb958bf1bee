"""Errors that the command line shows as one message."""


class LocalError(Exception):
    """Something a person can put right; the message says what and how."""


class ToolMissingError(LocalError):
    """A tool that the platform needs is not there and could not be installed."""


class PlatformDownError(LocalError):
    """The platform of this home does not run."""


class ProcessFailedError(LocalError):
    """A server or a tool ended with an error."""


class BatchFailedError(LocalError):
    """The platform reported an error for a batch; the message is the platform's own."""
