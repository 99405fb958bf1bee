"""Typed errors that more than one component raises."""


class ContractError(Exception):
    """Base of everything that the contracts refuse."""


class ContractConflictError(ContractError):
    """The contract contradicts itself."""


class DamagedDocumentError(ContractError):
    """A document, an event or an answer does not read as what it claims to be.

    The message names the document, the path inside it and what was expected there.
    """


class NewerDocumentError(DamagedDocumentError):
    """A document is of a newer release, which reads it: nothing may take its place."""


class StorageError(ContractError):
    """S3 refused or failed an operation."""


class CustodyError(ContractError):
    """A document is another lake's, or not the one that its successor was made of, or a successor is ahead of it."""


class DuplicateNumberError(ContractError):
    """A batch number is taken: another run committed it first."""
