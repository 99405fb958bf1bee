"""The whole examination: first what needs nobody, then who asks, then everything else at once."""

from collections.abc import Callable

from cdk_app.settings import Settings
from operate.doctor.checks.account import check_bootstrap, identify
from operate.doctor.checks.alarms import check_sms, check_subscriptions
from operate.doctor.checks.governance import check_key, check_lake_formation
from operate.doctor.checks.network import check_network
from operate.doctor.checks.quicksight import check_quicksight
from operate.doctor.checks.quotas import check_concurrency, check_glue
from operate.doctor.checks.secrets import check_secrets
from operate.doctor.checks.settings import check_placeholders
from operate.doctor.checks.source import check_source
from operate.doctor.checks.stacks import check_names, check_stacks
from operate.doctor.checks.warehouse import check_warehouse
from operate.doctor.platform import Aws, Platform
from operate.doctor.running import Check, Result, run

#: Title → check. They run beside each other, and are shown in this order.
CHECKS: dict[str, Check] = {
    "bootstrap": check_bootstrap,
    "stacks": check_stacks,
    "names": check_names,
    "secrets": check_secrets,
    "source": check_source,
    "warehouse": check_warehouse,
    "network": check_network,
    "subscriptions": check_subscriptions,
    "SMS": check_sms,
    "Quick Sight": check_quicksight,
    "Lambda": check_concurrency,
    "Glue": check_glue,
    "key": check_key,
    "Lake Formation": check_lake_formation,
}


def examine(
    settings: Settings, aws: Aws, progress: Callable[[int], None], *, is_before_deploy: bool = False
) -> list[Result]:
    """Examine an environment.

    Parameters
    ----------
    progress
        Told how many of `CHECKS` have ended.
    is_before_deploy
        Whether only that is looked at without which no deployment may begin: placeholders, and whose the credentials are.
    """
    results = [Result("settings", list(check_placeholders(settings)))]
    account, findings = identify(settings, aws)
    results.append(Result("credentials", findings))
    region = settings.region or aws.region
    if not account or not region or is_before_deploy:
        return results

    def client(service: str, of_region: str | None = None) -> object:
        return aws.client(service, of_region or region)

    return results + run(CHECKS, Platform(settings, client, account, region), progress)
