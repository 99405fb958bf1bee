"""Looks for known vulnerabilities in everything that a lock pins: ``make audit``."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PIP_AUDIT = ROOT / ".cache" / "linters" / "bin" / "pip-audit"
#: The service, or what it should have said of a package, could not be had: nothing is known.
NOT_AUDITED = 3


class NotAuditedError(Exception):
    """Nobody could say whether the packages of a lock are vulnerable."""


def locks() -> Iterator[Path]:
    """Return every lock: of the laptop, of each function, and of the linters."""
    yield ROOT / "requirements.lock"
    yield from sorted(ROOT.glob("lambdas/*/requirements.lock"))
    yield from sorted(ROOT.glob("tools/*/requirements.lock"))


def audit(lock: Path, program: Path = PIP_AUDIT) -> list[str]:
    """Return the known vulnerabilities of what a lock pins, one line each.

    Raises
    ------
    NotAuditedError
        When the service cannot be reached, or does not know a package at all.
    """
    # fmt: off
    command = [
        str(program), "--requirement", str(lock), "--require-hashes", "--disable-pip", "--format", "json",
        "--progress-spinner", "off",
    ]
    # fmt: on
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError) as error:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise NotAuditedError(f"the service with the vulnerabilities did not answer: {last[:300]}") from error
    if skipped := [package["name"] for package in packages if "skip_reason" in package]:
        raise NotAuditedError(
            f"the service knows nothing of {len(skipped)} of {len(packages)} packages ({', '.join(skipped[:3])}, …); "
            "a mirror of the package index has no such data"
        )
    return [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no version yet'}"
        for package in packages
        for found in package["vulns"]
    ]


def main() -> None:
    """Audit every lock; end with 1 when something is vulnerable, and with 3 when something is not known."""
    codes = {0}
    for lock in locks():
        name = lock.relative_to(ROOT)
        try:
            found = audit(lock)
        except NotAuditedError as error:
            codes.add(NOT_AUDITED)
            print(f"{name}: NOT AUDITED, {error}")
            continue
        codes.add(1 if found else 0)
        print("\n  ".join((f"{name}: {len(found)} known vulnerabilities", *found)))
    if NOT_AUDITED in codes:
        print("Run make audit where the service can be reached; the workflow audit does so every week.")
    sys.exit(1 if 1 in codes else max(codes))


if __name__ == "__main__":
    main()
