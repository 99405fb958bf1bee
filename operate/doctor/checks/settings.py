"""Settings that the synthesis takes and that must not be deployed."""

import re
from collections.abc import Iterator

from cdk_app.settings import Settings
from operate.doctor.finding import Finding, fine
from operate.doctor.kinds import Kind

#: Accounts of AWS's documentation.
_ACCOUNTS = r"111122223333|123456789012|444455556666"
#: Domains that RFC 2606 keeps for examples.
_DOMAINS = r"@([\w-]+\.)*(example(\.\w+)?|test|invalid)$"


def check_placeholders(settings: Settings) -> Iterator[Finding]:
    """Look for what an example has and a deployment must not have."""
    values = settings.model_dump()
    account = [name for name, value in values.items() if _has(_ACCOUNTS, value)]
    address = [name for name in ("alarm_email",) if _has(_DOMAINS, values[name])]
    if account:
        yield Kind.PLACEHOLDER_ACCOUNT.found(
            f"{', '.join(account)}: an account of AWS's examples.", environment=settings.environment
        )
    if address:
        yield Kind.PLACEHOLDER_ADDRESS.found(
            f"{', '.join(address)}: an address of a domain that is kept for examples.", environment=settings.environment
        )
    if not (settings.alarm_email or settings.alarm_phone):
        yield Kind.NOBODY_IS_TOLD.found("Neither alarm_email nor alarm_phone is set.", environment=settings.environment)
    if not account and not address:
        yield fine(f"The settings of {settings.environment} are usable and have no placeholders.")


def _has(pattern: str, value: object) -> bool:
    """Tell whether a text, or one of several, has what the pattern says."""
    values = value if isinstance(value, tuple) else (value,)
    return any(isinstance(text, str) and re.search(pattern, text) for text in values)
