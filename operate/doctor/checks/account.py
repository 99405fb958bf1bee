"""Who asks, and whether the CDK may deploy there."""

from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

from cdk_app.settings import Settings
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind
from operate.doctor.permissions import code, is_not_found
from operate.doctor.platform import Aws, Platform

#: What stacks of this CDK need of the bootstrap stack. The templates say it too; a test compares the two.
BOOTSTRAP_VERSION = 6
_PARAMETER = "/cdk-bootstrap/hnb659fds/version"


def identify(settings: Settings, aws: Aws) -> tuple[str, list[Finding]]:
    """Return the account of the credentials, or "" when nothing more can be asked, and what was found."""
    region = settings.region or aws.region
    if region is None:
        text = "Neither the settings nor your profile or environment name a region."
        return "", [Kind.NO_REGION.found(text, environment=settings.environment)]
    try:
        account = str(aws.client("sts", region).get_caller_identity()["Account"])
    except (BotoCoreError, ClientError) as error:
        reason = code(error) if isinstance(error, ClientError) else type(error).__name__
        return "", [Kind.NO_CREDENTIALS.found(f"AWS did not answer who you are ({reason}).")]
    if settings.account not in (None, account):
        text = f"The credentials are of account {account}, the settings are for {settings.account}."
        return "", [Kind.OTHER_ACCOUNT.found(text, account=settings.account)]
    found = [fine(f"The credentials are of account {account}; the region is {region}.")]
    if aws.region not in (None, region):
        text = f"The settings say {region}, your profile or environment {aws.region}."
        found.append(Kind.OTHER_REGION.found(text, region=region))
    return account, found


def check_bootstrap(platform: Platform) -> Iterator[Finding]:
    """Look at the version of the CDK's bootstrap stack."""
    place = {"account": platform.account, "region": platform.region}
    try:
        version = int(platform.client("ssm").get_parameter(Name=_PARAMETER)["Parameter"]["Value"])
    except ClientError as error:
        if not is_not_found(error):
            raise
        yield Kind.NOT_BOOTSTRAPPED.found(
            f"Account {platform.account} has no bootstrap stack in {platform.region}.", **place
        )
        return
    if version < BOOTSTRAP_VERSION:
        yield Kind.BOOTSTRAP_OLD.found(
            f"The bootstrap stack has version {version}, a deployment needs {BOOTSTRAP_VERSION}.", **place
        )
    else:
        yield fine(f"The bootstrap stack has version {version}.")
