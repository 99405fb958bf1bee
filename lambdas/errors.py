"""Typed errors of the Lambda functions: what happened, what state things are in, what to do."""


class PlatformError(Exception):
    """Base of the errors that the functions report by name. Messages never hold a secret or a host."""


class EventError(PlatformError):
    """The event that started the function asks for something that it cannot do."""


class NetworkError(PlatformError):
    """The function does not reach a service of AWS."""


class SecretError(PlatformError):
    """The secret with the connection details cannot be read or does not hold what it should."""


class SecretUnsetError(SecretError):
    """The secret holds what the deployment made: nobody has filled it yet."""


class DatabaseUnreachableError(PlatformError):
    """No connection to the database could be made."""


class LoginRefusedError(PlatformError):
    """The database answered and refused the login."""


class PrivilegeError(PlatformError):
    """The login lacks a privilege that the platform needs."""


class SourceSchemaError(PlatformError):
    """The source's tables are not what the contract says; nothing was written."""


class SourceReadError(PlatformError):
    """The source failed while it was being read; no batch was committed."""


class SourceMovedError(SourceReadError):
    """Tables of the source changed as a whole while they were read; reading them again helps."""


class AnotherExtractionError(PlatformError):
    """Another extraction is at work: it, or the next one, reads what changed."""


class PublicationGapError(PlatformError):
    """A publication is missing between the last loaded one and a newer one."""


class ListingMissingError(PlatformError):
    """A rebuild was asked for and the job has not listed the lake's files."""


class WarehouseSchemaError(PlatformError):
    """The warehouse's tables are not what the contract says; nothing was loaded."""


class WarehouseWriteError(PlatformError):
    """The warehouse refused a batch; its transaction was rolled back."""


class WarehouseBusyError(WarehouseWriteError):
    """The warehouse was in another session's hands, restarting or out of reach: trying again helps."""


class PublicationTooLargeError(WarehouseWriteError):
    """A publication is staged, and to bring it into the tables takes longer than one load may; nothing was changed."""


class AnotherLoadError(WarehouseBusyError):
    """Another load of the warehouse is at work: it, or the next one, does what is left."""


class ReconciliationError(PlatformError):
    """Counts do not agree; the transaction was rolled back."""
