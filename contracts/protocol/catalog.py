"""The lake's catalog: what the job, its deployment and replays call it, and where its tables lie."""

#: Name of the Iceberg catalog in the job's Spark session.
CATALOG = "glue_catalog"
#: What the keys of the lake's tables begin with in the processed bucket.
STAR_PREFIX = "star/"
#: What the keys of replays begin with in the processed bucket.
REPLAY_PREFIX = "replay/"


def replay_prefix(database: str) -> str:
    """Return what the keys of one replay begin with in the processed bucket."""
    return f"{REPLAY_PREFIX}{database}/"


def location(bucket: str, prefix: str = "") -> str:
    """Return where a lake's tables lie.

    Examples
    --------
    >>> location("processed"), location("processed", replay_prefix("totesys_replay"))
    ('s3://processed/star', 's3://processed/replay/totesys_replay/star')
    """
    return f"s3://{bucket}/{prefix}{STAR_PREFIX}".removesuffix("/")
