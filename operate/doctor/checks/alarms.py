"""Who is told when something fails: subscriptions and SMS."""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import is_not_found
from operate.doctor.platform import Platform

_PENDING = "PendingConfirmation"
#: US dollars a month that AWS lets a young account spend on SMS.
_FIRST_SPEND = 1


def check_subscriptions(platform: Platform) -> Iterator[Finding]:
    """Look whether the subscriptions to the topic are confirmed; whose they are is not told."""
    sns = platform.client("sns")
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=platform.topic)
    try:
        found = [subscription for page in pages for subscription in page["Subscriptions"]]
    except ClientError as error:
        if not is_not_found(error):
            raise
        yield fine("The topic comes with the first deployment.")
        return
    pending = [s["Protocol"] for s in found if s["SubscriptionArn"] == _PENDING]
    confirmed = len(found) - len(pending)
    text = f"{len(pending)} of {len(found)} subscriptions are not confirmed: {', '.join(sorted(pending))}."
    if pending and not confirmed:
        yield Kind.NOBODY_SUBSCRIBED.found(text)
    elif pending:
        yield Kind.UNCONFIRMED.found(text)
    elif not found and (platform.settings.alarm_email or platform.settings.alarm_phone):
        yield Kind.NOBODY_SUBSCRIBED.found("The topic has no subscription, and the settings name somebody.")
    else:
        yield fine(f"All subscriptions are confirmed; there are {confirmed}.")


def check_sms(platform: Platform) -> Iterator[Finding]:
    """Look whether SMS reach the numbers of the settings, as far as AWS tells."""
    numbers = set(platform.settings.alarm_phone)
    if not numbers:
        yield fine("Nobody is texted.")
        return
    sns = platform.client("sns")
    if sns.get_sms_sandbox_account_status()["IsInSandbox"]:
        unverified = numbers - _verified(sns)
        if unverified:
            text = f"The account is in the SMS sandbox; {len(unverified)} of {len(numbers)} numbers are not verified."
            yield Kind.SMS_SANDBOX.found(text)
    limit = float(sns.get_sms_attributes(attributes=["MonthlySpendLimit"])["attributes"].get("MonthlySpendLimit", 1))
    if limit <= _FIRST_SPEND:
        yield Kind.SMS_SPEND.found(f"The account may spend {limit:g} USD a month on SMS.")
    else:
        yield fine(f"The account may spend {limit:g} USD a month on SMS.")


def _verified(sns: Any) -> set[str]:
    pages = sns.get_paginator("list_sms_sandbox_phone_numbers").paginate()
    return {n["PhoneNumber"] for page in pages for n in page["PhoneNumbers"] if n["Status"] == "Verified"}
