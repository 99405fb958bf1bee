"""How long the oldest batch waits that no load has confirmed.

The extraction measures it, so that the figure grows when no load runs at all.
"""

from contracts.protocol.bucket import Bucket
from contracts.protocol.progress import newest_load_number, oldest_waiting_batch
from lambdas import clients
from lambdas.extract.settings import ExtractSettings
from lambdas.observability import age


def oldest_unloaded_batch_age(settings: ExtractSettings) -> float:
    """Return the age in seconds; 0 when every batch is confirmed."""
    client = clients.client("s3")
    confirmed = newest_load_number(Bucket(client, settings.processed_bucket))
    waiting = oldest_waiting_batch(Bucket(client, settings.ingestion_bucket), confirmed)
    return age(waiting.taken_at) if waiting else 0.0
