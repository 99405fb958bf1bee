"""Each alarm's fault, produced on the deployed platform: the datum that the alarm sees, and the message that a person gets."""

import json
import time

import psycopg
import pytest

from contracts.alarms import Alarm
from contracts.protocol.object_layout import NOTICE_PREFIX
from local.servers.emulator_process import client

SOON = 180
RECOVERED = "recovered: no failure for a while"


class Topic:
    """A subscriber, and the alarms."""

    def __init__(self, description):
        self.description, self._queue = description, None
        self.cloudwatch, self.sqs = client(description, "cloudwatch"), client(description, "sqs")
        self.url = self.sqs.create_queue(QueueName="people")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        self.sqs.set_queue_attributes(QueueUrl=self.url, Attributes={"Policy": policy})
        client(description, "sns").subscribe(TopicArn=description["topic"], Protocol="sqs", Endpoint=arn)

    def messages(self, *, at_least=1, seconds=SOON):
        """Return what came: subject and text."""
        found, deadline = [], time.monotonic() + seconds
        while len(found) < at_least and time.monotonic() < deadline:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in answer.get("Messages", []):
                body = json.loads(message["Body"])
                found.append((body.get("Subject", ""), body["Message"]))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def alarm(self, name):
        (found,) = self.cloudwatch.describe_alarms(AlarmNames=[f"totesys-local-{name}"])["MetricAlarms"]
        return found

    def wait_for(self, name, state="ALARM"):
        """Wait until an alarm has a state; show what it watches."""
        deadline = time.monotonic() + SOON
        while (found := self.alarm(name))["StateValue"] != state:
            assert time.monotonic() < deadline, f"{name} stays {found['StateValue']}"
            time.sleep(0.5)
        dimensions = {d["Name"]: d["Value"] for d in found["Dimensions"]}
        print(f"\n{name}: {found['Namespace']} {found['MetricName']} {dimensions} -> {state}")

    def change(self, name, **changes):
        """Shorten what nobody can wait for."""
        names = (
            "AlarmName AlarmDescription MetricName Namespace Statistic Dimensions Period EvaluationPeriods DatapointsToAlarm "
            "Threshold ComparisonOperator TreatMissingData"
        )
        known = {key: value for key, value in self.alarm(name).items() if key in names.split()}
        self.cloudwatch.put_metric_alarm(**known | changes)


@pytest.fixture(scope="module")
def topic(platform):
    """Alarms that look back for half a minute, and people who have been told nothing."""
    topic = Topic(platform.description)
    for name in (
        Alarm.EXTRACT_FAILED,
        Alarm.LOAD_FAILED,
        Alarm.PUBLISH_FAILED,
        Alarm.PUBLISH_TIMED_OUT,
        Alarm.NOT_FRESH,
    ):
        topic.change(name, Period=30, EvaluationPeriods=1, DatapointsToAlarm=1)
    topic.change(Alarm.NOT_FRESH, Threshold=0.5)
    platform.batch()
    time.sleep(35)
    s3, bucket = client(platform.description, "s3"), platform.description["processed_bucket"]
    for item in s3.list_objects_v2(Bucket=bucket, Prefix=NOTICE_PREFIX).get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=item["Key"])
    topic.messages(at_least=99, seconds=2)
    return topic


def show(messages):
    for subject, text in messages:
        print(f"  {subject}\n    " + text.replace("\n", "\n    ")[:1500])
    return [subject for subject, _ in messages]


def test_g5_each_fault_raises_its_alarm_and_is_told_once(platform, topic, capsys):
    with capsys.disabled():
        _a_failing_extraction(platform, topic)
        _a_failing_load(platform, topic)
        _an_execution_that_lasts(platform, topic)
        _quarantined_rows(platform, topic)
        _an_undelivered_event(platform, topic)
        _a_source_that_nobody_checks(platform, topic)
    platform.assert_equal()


def _a_failing_extraction(platform, topic):
    invoke = {"FunctionName": platform.description["extract_function"], "InvocationType": "Event", "Payload": b"{}"}
    with psycopg.connect(platform.source.url, autocommit=True) as connection:
        connection.execute("alter role postgres password 'rotated'")
        for _ in range(3):
            client(platform.description, "lambda").invoke(**invoke)
        topic.wait_for(Alarm.EXTRACT_FAILED)
        connection.execute("alter role postgres password 'secret-source'")
    topic.wait_for(Alarm.EXTRACT_FAILED, "OK")
    told = topic.messages(at_least=3, seconds=15)
    assert show(told) == [
        "totesys-local extract fails: the source refused the login",
        f"totesys-local extract {RECOVERED}",
    ]
    assert "secret-source" not in told[0][1] and "docs/runbooks/extract-failed.md" in told[0][1]


def _a_failing_load(platform, topic):
    platform.execute("update payment set paid = not paid where payment_id < 30")
    with psycopg.connect(platform.warehouse.url, autocommit=True) as connection:
        connection.execute("alter role postgres password 'rotated'")
        platform.run("batch", code=1)
        topic.wait_for(Alarm.LOAD_FAILED)
        topic.wait_for(Alarm.PUBLISH_FAILED)
        client(platform.description, "lambda").invoke(
            FunctionName=platform.description["extract_function"], Payload=b"{}"
        )
        topic.wait_for(Alarm.NOT_FRESH)
        connection.execute("alter role postgres password 'secret-warehouse'")
    platform.batch()
    for name in (Alarm.LOAD_FAILED, Alarm.PUBLISH_FAILED, Alarm.NOT_FRESH):
        topic.wait_for(name, "OK")
    first, *others = show(topic.messages(at_least=3, seconds=15))
    assert first.startswith("totesys-local load fails (batch ") and first.endswith("the warehouse refused the login")
    assert others == [f"totesys-local load {RECOVERED}"], "three alarms that follow from it are silent"


def _an_execution_that_lasts(platform, topic):
    """The machine's three hours are a second."""
    machines, arn = client(platform.description, "stepfunctions"), platform.description["state_machine"]
    definition = machines.describe_state_machine(stateMachineArn=arn)["definition"]
    hasty = json.dumps(json.loads(definition) | {"TimeoutSeconds": 1})
    machines.update_state_machine(stateMachineArn=arn, definition=hasty)
    platform.execute("update payment set paid = not paid where payment_id < 30")
    assert "TIMED_OUT" in platform.run("batch", code=1).err
    topic.wait_for(Alarm.PUBLISH_TIMED_OUT)
    machines.update_state_machine(stateMachineArn=arn, definition=definition)
    platform.batch()
    topic.wait_for(Alarm.PUBLISH_TIMED_OUT, "OK")
    assert show(topic.messages(at_least=2)) == [
        "totesys-local publish fails: an execution took over 3 hours",
        f"totesys-local publish {RECOVERED}",
    ]


def _quarantined_rows(platform, topic):
    platform.execute("update sales_order set agreed_delivery_date = '2024-02-30' where sales_order_id = 21")
    platform.batch()
    topic.wait_for(Alarm.ROWS_QUARANTINED)
    assert show(topic.messages()) == ["totesys-local rows fails: rows of the source fail checks"]
    platform.execute("update sales_order set agreed_delivery_date = '2024-02-29' where sales_order_id = 21")
    platform.batch()


def _an_undelivered_event(platform, topic):
    """Somebody invokes the load with something that it does not know, and does not wait for the answer."""
    client(platform.description, "lambda").invoke(
        FunctionName=platform.description["load_function"], InvocationType="Event", Payload=b'{"step": "unheard-of"}'
    )
    topic.wait_for(Alarm.EVENTS_UNDELIVERED)
    told = show(topic.messages(at_least=2))
    assert any("totesys-local-events-undelivered" in subject for subject in told), told
    assert "totesys-local load fails: the load function failed" in told
    url = topic.sqs.get_queue_url(QueueName="totesys-local-undelivered")["QueueUrl"]
    (message,) = topic.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert json.loads(message["Body"])["requestPayload"] == {"step": "unheard-of"}
    topic.sqs.purge_queue(QueueUrl=url)
    topic.wait_for(Alarm.EVENTS_UNDELIVERED, "OK")
    topic.wait_for(Alarm.LOAD_FAILED, "OK")
    assert f"totesys-local load {RECOVERED}" in show(topic.messages())


def _a_source_that_nobody_checks(platform, topic):
    topic.change(Alarm.SOURCE_NOT_CHECKED, Period=10, EvaluationPeriods=1, DatapointsToAlarm=1)
    topic.wait_for(Alarm.SOURCE_NOT_CHECKED)
    assert show(topic.messages()) == ["totesys-local extract fails: no extraction has ended well for long"]
    topic.change(Alarm.SOURCE_NOT_CHECKED, Period=300, EvaluationPeriods=6, DatapointsToAlarm=6)
    topic.wait_for(Alarm.SOURCE_NOT_CHECKED, "OK")
    assert show(topic.messages()) == [f"totesys-local extract {RECOVERED}"]
    notices = client(platform.description, "s3").list_objects_v2(
        Bucket=platform.description["processed_bucket"], Prefix=NOTICE_PREFIX
    )
    assert notices["KeyCount"] > 5
