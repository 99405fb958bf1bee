"""Quick Sight, where the settings ask for a dashboard: the account's subscription, and who and what they name."""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import is_not_found
from operate.doctor.platform import Platform

_NAMED = ("quicksight_principal", "quicksight_readers", "quicksight_row_level_data_set")


def check_quicksight(platform: Platform) -> Iterator[Finding]:
    """Look at the account's subscription, its edition, and at the owner, the readers and the rules of the settings."""
    settings = platform.settings
    if not settings.quicksight_principal:
        yield fine("No dashboard in Quick Sight is asked for.")
        return
    try:
        answer = platform.client("quicksight").describe_account_subscription(AwsAccountId=platform.account)
    except ClientError as error:
        if not is_not_found(error):
            raise
        yield Kind.QUICKSIGHT_ACCOUNT.found("The account has no subscription of Quick Sight.")
        return
    account = answer["AccountInfo"]
    if account.get("AccountSubscriptionStatus") != "ACCOUNT_CREATED":
        yield Kind.QUICKSIGHT_ACCOUNT.found(
            f"The subscription of Quick Sight is in state {account.get('AccountSubscriptionStatus')}."
        )
        return
    if not str(account.get("Edition", "")).startswith("ENTERPRISE"):
        yield Kind.QUICKSIGHT_EDITION.found(f"The edition of Quick Sight is {account.get('Edition')}.")
    missing = [name for name in _NAMED if (arn := getattr(settings, name)) and not _is_there(platform, arn)]
    for name in missing:
        yield Kind.QUICKSIGHT_PRINCIPAL.found(
            f"Quick Sight does not know what {name} names.", setting=name, environment=settings.environment
        )
    if not missing:
        yield fine("Quick Sight has an account, and knows whom the settings name.")


def _is_there(platform: Platform, arn: str) -> bool:
    """Ask for a user, group or data set in its own region: users live in the region in which Quick Sight was signed up."""
    _, _, _, region, account, resource = arn.split(":", 5)
    client = platform.client("quicksight", region)
    kind, _, name = resource.partition("/")
    try:
        if kind == "dataset":
            client.describe_data_set(AwsAccountId=account, DataSetId=name)
            return True
        namespace, _, who = name.partition("/")
        if kind == "group":
            client.describe_group(AwsAccountId=account, Namespace=namespace, GroupName=who)
        else:
            client.describe_user(AwsAccountId=account, Namespace=namespace, UserName=who)
    except ClientError as error:
        if not is_not_found(error):
            raise
        return False
    return True
