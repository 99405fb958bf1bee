"""What a run takes: measured figures, which tests keep true, and those that are only assumed, because AWS alone could tell."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests of S3, by their prices.

    Attributes
    ----------
    lists, puts
        Priced alike; uploads in parts count each part, their begin and their end.
    gets
        ``HEAD`` among them.
    """

    lists: int = 0
    gets: int = 0
    puts: int = 0


# Counted on the wire, at batch 10,000: tests/postgres/test_requests.py
#: Nothing has changed.
IDLE_EXTRACTION = Requests(lists=4, gets=4)
#: A batch with changed rows of three tables: a part each, the manifest and the hint.
EXTRACTION = Requests(lists=4, gets=4, puts=5)
#: What is pending: nothing, or one batch.
IDLE_CHECK = Requests(lists=2, gets=3)
CHECK = Requests(lists=5, gets=6)
#: The warehouse shows everything already, or a publication of three tables is loaded.
IDLE_LOAD = Requests(lists=5, gets=6)
LOAD = Requests(lists=6, gets=13, puts=2)

# Walked: tests/infra/test_publish_machine.py
#: State transitions of an execution that finds nothing pending, and of one that publishes.
IDLE_TRANSITIONS = 7
TRANSITIONS = 10

# Counted in what the simulator writes in a year: tests/infra/test_cost.py
#: Intervals of five minutes, a day, in which something changes, and rows that change.
TOTESYS_BATCHES, TOTESYS_ROWS = 21.6, 70

# Assumed
#: Requests of a transform run: its own documents, and Iceberg's files of four changed tables.
TRANSFORM = Requests(lists=15, gets=150, puts=25)
#: Minutes that a run is billed for: to start Spark and ask every table, and for so many changed rows a minute more.
RUN_MINUTES, ROWS_A_MINUTE = 1.5, 10_000
#: Workers (one DPU each) that auto-scaling gives a run, and changed rows for which it adds one.
WORKERS, ROWS_A_WORKER = 2, 50_000
#: Minutes of a weekly maintenance: to look at every table, and for each run of the week, whose files it compacts.
MAINTENANCE_MINUTES, MINUTES_A_RUN = 3, 0.02
#: Seconds of a function's invocation: an extraction; a check; a load that finds nothing, and one that loads.
EXTRACTION_SECONDS, CHECK_SECONDS, IDLE_LOAD_SECONDS, LOAD_SECONDS = 2, 1, 2, 5
#: Rows that extraction and load take a second more for.
ROWS_A_SECOND = 20_000
#: Kilobytes of log: of an invocation, of a state transition, of a run of a job.
INVOCATION_LOG, TRANSITION_LOG, RUN_LOG = 2, 1, 300
#: Share of S3's requests that ask KMS for a key, where buckets have a customer key: bucket keys spare most.
ASKED_FOR_KEYS = 0.05
#: Bytes of a changed row in both buckets, with what replaced versions take for 30 days.
ROW_BYTES = 1_000
#: Kilobytes that a run leaves in both buckets beside rows: documents, Iceberg's metadata, access logs.
RUN_KILOBYTES = 300
