"""The bill of one month, line by line."""

from collections.abc import Iterable
from dataclasses import dataclass

from cdk_app.settings import Settings
from tools.cost import measured
from tools.cost.deployed import Deployed
from tools.cost.measured import Requests
from tools.cost.prices import Prices
from tools.cost.traffic import Traffic

DAYS = 30
MINUTES = DAYS * 24 * 60


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what is charged, and what it comes to, in USD."""

    name: str
    usd: float


@dataclass(frozen=True, slots=True)
class Runs:
    """How often things run in a month.

    Attributes
    ----------
    extractions, batches
        All extractions, and those that commit a batch: the daily key lists among them.
    recoveries
        Executions that a schedule starts and that find nothing pending.
    transforms
        Executions that run the job and load a publication.
    """

    extractions: float
    batches: float
    recoveries: float
    transforms: float

    @property
    def executions(self) -> float:
        """All executions of the state machine."""
        return self.recoveries + self.transforms


def runs(settings: Settings, traffic: Traffic) -> Runs:
    """Count what runs: each batch is published by an execution of its own, or those of a window by one."""
    extractions = MINUTES / settings.extract_minutes + DAYS
    batches = min(traffic.batches * DAYS + DAYS, extractions)
    scheduled = MINUTES / (settings.publish_minutes or settings.recovery_minutes)
    transforms = min(batches, scheduled) if settings.publish_minutes else batches
    return Runs(extractions, batches, scheduled - transforms * bool(settings.publish_minutes), transforms)


def bill(settings: Settings, traffic: Traffic, deployed: Deployed, prices: Prices) -> list[Line]:
    """Return every line of a month's bill, without what is free of charge in an account that uses nothing else."""
    count = runs(settings, traffic)
    return [
        *_compute(settings, traffic, count, deployed, prices),
        *_storage(settings, traffic, count, prices),
        *_standing(deployed, prices),
        *_calls(settings, count, prices),
        *_dashboards(traffic, prices),
    ]


def total(lines: Iterable[Line]) -> float:
    """Return what the lines come to."""
    return sum(line.usd for line in lines)


def run_minutes(settings: Settings, traffic: Traffic) -> tuple[float, float]:
    """Return for how many minutes one run of the transform job is billed, and on how many workers."""
    count = runs(settings, traffic)
    rows = traffic.rows * DAYS / count.transforms
    workers = min(settings.glue_workers, measured.WORKERS + rows // measured.ROWS_A_WORKER)
    minutes = measured.RUN_MINUTES + rows / measured.ROWS_A_MINUTE * measured.WORKERS / workers
    return minutes, workers


def _compute(settings: Settings, traffic: Traffic, count: Runs, deployed: Deployed, prices: Prices) -> tuple[Line, ...]:
    minutes, workers = run_minutes(settings, traffic)
    maintenance = DAYS / 7 * measured.MAINTENANCE_MINUTES + count.transforms * measured.MINUTES_A_RUN
    reading = traffic.rows * DAYS / measured.ROWS_A_SECOND
    extract = count.extractions * measured.EXTRACTION_SECONDS + reading
    load = (
        count.executions * measured.CHECK_SECONDS
        + count.recoveries * measured.IDLE_LOAD_SECONDS
        + count.transforms * measured.LOAD_SECONDS
        + reading
    )
    gigabyte_seconds = extract * deployed.extract_gigabytes + load * deployed.load_gigabytes
    invocations = count.extractions + 2 * count.executions
    transitions = _transitions(count)
    return (
        Line("Glue: runs of the transform job", count.transforms * minutes * workers / 60 * prices["glue_dpu_hour"]),
        Line("Glue: maintenance (Flex)", maintenance * measured.WORKERS / 60 * prices["glue_flex_dpu_hour"]),
        Line("Lambda", gigabyte_seconds * prices["lambda_gb_second"] + invocations * prices["lambda_request"]),
        Line("Step Functions", transitions * prices["transition"] + count.executions * prices["trace"]),
    )


def _transitions(count: Runs) -> float:
    return count.recoveries * measured.IDLE_TRANSITIONS + count.transforms * measured.TRANSITIONS


def requests(count: Runs) -> Requests:
    """Return all requests of S3 in a month."""
    idle = count.extractions - count.batches
    parts = (
        (idle, measured.IDLE_EXTRACTION),
        (count.batches, measured.EXTRACTION),
        (count.recoveries, measured.IDLE_CHECK),
        (count.recoveries, measured.IDLE_LOAD),
        (count.transforms, measured.CHECK),
        (count.transforms, measured.LOAD),
        (count.transforms, measured.TRANSFORM),
    )
    lists, gets, puts = (
        round(sum(times * getattr(each, name) for times, each in parts)) for name in ("lists", "gets", "puts")
    )
    return Requests(lists, gets, puts)


def _storage(settings: Settings, traffic: Traffic, count: Runs, prices: Prices) -> tuple[Line, ...]:
    asked = requests(count)
    rows = traffic.rows * traffic.stored_days * measured.ROW_BYTES / 1e9
    beside = count.transforms * traffic.stored_days / DAYS * measured.RUN_KILOBYTES / 1e6
    logged = log_gigabytes(count)
    kept = logged * settings.log_days / DAYS
    return (
        Line("S3: requests", (asked.lists + asked.puts) * prices["s3_list_put"] + asked.gets * prices["s3_get"]),
        Line("S3: storage", (rows + beside) * prices["s3_gb_month"]),
        Line("CloudWatch: logs", logged * prices["log_gb"] + kept * prices["log_gb_month"]),
    )


def log_gigabytes(count: Runs) -> float:
    """Return how much is logged in a month."""
    invocations = count.extractions + 2 * count.executions
    job_runs = count.transforms + DAYS / 7
    return (
        invocations * measured.INVOCATION_LOG
        + _transitions(count) * measured.TRANSITION_LOG
        + job_runs * measured.RUN_LOG
    ) / 1e6


def _standing(deployed: Deployed, prices: Prices) -> tuple[Line, ...]:
    alarms = deployed.alarms * prices["alarm"] + deployed.composite_alarms * prices["composite_alarm"]
    return (
        Line(f"CloudWatch: {deployed.alarms + deployed.composite_alarms} alarms", alarms),
        Line(f"CloudWatch: {deployed.metrics} metrics", deployed.metrics * prices["metric"]),
        Line(f"Secrets Manager: {deployed.secrets} secrets", deployed.secrets * prices["secret"]),
        Line(f"KMS: {deployed.keys} key" + "s" * (deployed.keys != 1), deployed.keys * prices["key"]),
        Line(
            f"VPC: interface endpoints, {deployed.endpoint_zones} with their zones",
            deployed.endpoint_zones * 24 * DAYS * prices["endpoint_hour"],
        ),
    )


def _calls(settings: Settings, count: Runs, prices: Prices) -> tuple[Line, ...]:
    """Return the lines of calls that each invocation makes beside S3; a secret under a customer key is a call of KMS as well."""
    secrets = count.extractions + count.executions
    asked = requests(count)
    keys = (secrets + (asked.gets + asked.puts) * measured.ASKED_FOR_KEYS) * settings.has_customer_key
    schedule_calls = count.extractions + count.executions
    return (
        Line("Secrets Manager and KMS: calls", secrets * prices["secret_call"] + keys * prices["key_call"]),
        Line("EventBridge Scheduler", max(0.0, schedule_calls - 14e6) * prices["schedule_call"]),
    )


def _dashboards(traffic: Traffic, prices: Prices) -> tuple[Line, ...]:
    asked = traffic.queries * 10e6 / 1e12 * prices["athena_tb"]
    looked = traffic.authors * prices["quicksight_author"] + traffic.readers * prices["quicksight_reader"]
    return (Line("Quick Sight and Athena", asked + looked),)
