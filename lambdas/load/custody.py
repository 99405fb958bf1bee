"""Chain of custody: a ledger is one lake's, and what comes next follows what it has loaded.

Whoever deploys anew, restores a bucket or points two environments at one database puts documents and ledger together that do
not belong together, with the same numbers. Each check here is made before anything is loaded or confirmed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.errors import CustodyError
from contracts.protocol.object_layout import publication_key
from contracts.protocol.publication import Publication
from lambdas.errors import PublicationGapError

#: What makes the warehouse this lake's, whatever it was before.
TAKE_OVER = (
    'take the warehouse over (start the state machine with {"mode": "take_over"}), which replaces its content with this '
    "lake's (docs/runbooks/load-failed.md)"
)
_REBUILD = 'rebuild the warehouse (start the state machine with {"mode": "rebuild"})'


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a ledger is, or whose it is about to become.

    Attributes
    ----------
    lake
        Name of the lake; "" when its documents are of format 1 and name none.
    bucket
        Its processed bucket.
    star_schema
        Schema of the star tables that the ledger tells of.
    """

    lake: str
    bucket: str
    star_schema: str

    def __str__(self) -> str:
        """Write it as messages do."""
        return f"lake {self.lake or 'without a name'} (bucket {self.bucket}, star schema {self.star_schema})"

    def is_other(self, other: "Owner") -> bool:
        """Tell whether the two are known to differ. A lake may have moved to another bucket."""
        return self.star_schema != other.star_schema or bool(self.lake and other.lake and self.lake != other.lake)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ledger has of one batch.

    Attributes
    ----------
    digest
        Of the publication that was loaded; None when an earlier release loaded it.
    """

    batch: int
    snapshot_time: datetime
    published_at: datetime
    digest: str | None

    def is_of(self, publication: Publication) -> bool:
        """Tell whether this publication was loaded."""
        if self.digest is not None:
            return self.digest == publication.digest
        return self.has_snapshot_of(publication) and self.published_at == datetime.fromisoformat(
            publication.published_at
        )

    def has_snapshot_of(self, publication: Publication) -> bool:
        """Tell whether the publication is of the same snapshot: of the same batch, if perhaps made anew."""
        return self.snapshot_time == datetime.fromisoformat(publication.snapshot_time)


@dataclass(frozen=True, slots=True)
class Custody:
    """What a ledger says of itself.

    Attributes
    ----------
    ledger
        Its schema.
    owner
        Whose it is; None before the first load of a lake that has a name.
    newest
        The newest batch that it has; None when it is empty.
    """

    ledger: str
    owner: Owner | None
    newest: Entry | None

    @property
    def last(self) -> int:
        """Number of its newest batch, or 0."""
        return self.newest.batch if self.newest else 0


def check_owner(custody: Custody, here: Owner) -> None:
    """Check that the ledger is not known to be another's.

    Raises
    ------
    CustodyError
        When it is; nothing was loaded.
    """
    if custody.owner and custody.owner.is_other(here):
        raise CustodyError(
            f"Ledger {custody.ledger} belongs to {custody.owner}, and this load is of {here}. Nothing was loaded. Name another "
            f"ledger (setting ledger_schema), or {TAKE_OVER}."
        )


def check_newest(custody: Custody, here: Owner, shown: Publication | None, following: Publication | None) -> None:
    """Check that the newest batch of a ledger that is not empty is what the lake published under its number.

    Parameters
    ----------
    here
        The lake, as its newest readable document names it.
    shown
        The publication of the ledger's newest batch; None when the lake has none.
    following
        The first publication after it; None when there is none.

    Raises
    ------
    CustodyError
        When it is not; nothing was loaded or confirmed.
    """
    check_owner(custody, here)
    ledger, key = f"Ledger {custody.ledger}", publication_key(custody.last)
    if shown is None:
        if following is None:
            raise CustodyError(
                f"{ledger} is ahead of the lake: it has batch {custody.last}, and {here} has no publication of that number or a "
                f"later one. Nothing was loaded. Restore the publications; if the lake was made anew, name another ledger "
                f"(setting ledger_schema), or {TAKE_OVER}."
            )
        check_range(custody, following)
        raise CustodyError(
            f"{key} is missing in bucket {here.bucket}, and ledger {custody.ledger} has loaded it. Nothing was loaded. Restore "
            f"the object from its previous version; if the lake was made anew, {_REBUILD}."
        )
    if custody.newest and not custody.newest.is_of(shown):
        raise CustodyError(
            f"{ledger} has loaded another publication of batch {custody.last} than {key} in bucket {here.bucket}. Nothing was "
            f"loaded. If the lake was made anew of the same batches, {_REBUILD}; if the ledger is another lake's, name "
            f"another one (setting ledger_schema), or {TAKE_OVER}."
        )


def is_next(custody: Custody, publication: Publication, loaded: Entry | None) -> bool:
    """Tell whether a publication is what the ledger lacks next; False when the ledger has it already.

    Parameters
    ----------
    loaded
        What the ledger has of this batch.

    Raises
    ------
    PublicationGapError
        When publications are missing before it.
    CustodyError
        When the ledger has another one in its place. Nothing of it was loaded.
    """
    if loaded and loaded.is_of(publication):
        return False
    if custody.last >= publication.batch:
        raise CustodyError(
            f"Ledger {custody.ledger} is at batch {custody.last} and did not load {publication_key(publication.batch)} on the "
            f"way: another lake's load was here. Nothing of it was loaded. Name another ledger (setting ledger_schema), or "
            f"{TAKE_OVER}."
        )
    check_range(custody, publication)
    check_follows(publication, custody.last)
    return True


def check_empty(custody: Custody, filled: Sequence[str]) -> None:
    """Check that no facts are there of which an empty ledger knows nothing.

    Parameters
    ----------
    filled
        Names of the facts that have rows.

    Raises
    ------
    CustodyError
        When there are; nothing was loaded.
    """
    if filled and not custody.last:
        raise CustodyError(
            f"Ledger {custody.ledger} is empty, and {', '.join(filled)} hold rows. Nothing was loaded. If the ledger stands in "
            f"another schema (earlier releases kept it in etl, whatever the star tables' schema), name it (setting "
            f"ledger_schema); else {_REBUILD}."
        )


def check_range(custody: Custody, publication: Publication) -> None:
    """Check that the ledger does not end inside the batches that a publication takes together.

    Raises
    ------
    CustodyError
        When it does: it has loaded some of them as other publications.
    """
    if publication.first <= custody.last < publication.batch:
        raise CustodyError(
            f"{publication_key(publication.batch)} takes the batches {publication.first} to {publication.batch} together, and "
            f"ledger {custody.ledger} ends among them, with batch {custody.last}: it is not of this lake's publications. Nothing "
            f"was loaded. If the lake was made anew, {_REBUILD}; else name another ledger (setting ledger_schema), or "
            f"{TAKE_OVER}."
        )


def check_follows(publication: Publication, last: int) -> None:
    """Check that no publication is missing between the last loaded one and this.

    Raises
    ------
    PublicationGapError
        When one is; nothing of this publication was loaded.
    """
    if publication.first > last + 1:
        raise PublicationGapError(
            f"{publication_key(publication.batch)} exists and the publication that ends with batch {publication.first - 1} "
            f"is missing. Batches are loaded in order, so nothing after {last} was. Restore the object from its previous "
            f"version, or run the transform again."
        )


def check_rebuild(custody: Custody, here: Owner, shown: Publication | None, newest: int) -> None:
    """Check that a rebuild from this lake replaces nothing of another lake's, and takes the warehouse no step back.

    The lake's publications may be other ones than those that were loaded: it may have been made anew of the same batches.

    Parameters
    ----------
    shown
        The lake's publication of the ledger's newest batch; None when it has none.
    newest
        Number of the lake's newest publication.

    Raises
    ------
    CustodyError
        When it would; nothing was changed.
    """
    if custody.owner and custody.owner.is_other(here):
        raise CustodyError(
            f"Ledger {custody.ledger} belongs to {custody.owner}, and this rebuild is of {here}. Nothing was changed. Name "
            f"another ledger (setting ledger_schema), or {TAKE_OVER}."
        )
    if custody.last > newest:
        raise CustodyError(
            f"Ledger {custody.ledger} is ahead of the lake: it has batch {custody.last}, and the newest publication of {here} is "
            f"that of batch {newest}: the warehouse would go back. Nothing was changed. Restore the publications or let the lake "
            f"catch up; to go back, {TAKE_OVER}."
        )
    is_known = custody.owner is not None and bool(here.lake)
    if custody.newest and not is_known and not (shown and custody.newest.has_snapshot_of(shown)):
        raise CustodyError(
            f"Ledger {custody.ledger} does not say whose it is, and its batch {custody.last} is not that of {here}. Nothing "
            f"was changed. Name another ledger (setting ledger_schema), or {TAKE_OVER}."
        )
