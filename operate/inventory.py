"""What there is of a deployment, before it is destroyed."""

from dataclasses import dataclass

from rich.table import Table

from operate.buckets import Contents, contents
from operate.deployment import Deployment

#: For how long a deleted key can be called back.
KEY_DAYS = 30


@dataclass(frozen=True, slots=True)
class Inventory:
    """What is there.

    Attributes
    ----------
    stacks, protected
        Their names; and of those that refuse to be deleted.
    buckets
        Name → what is in it.
    databases
        Glue databases of the lake and of replays.
    secrets, key
        What is not a stack's own is left out: an ARN in the settings is somebody else's.
    """

    stacks: list[str]
    protected: list[str]
    buckets: dict[str, Contents]
    databases: list[str]
    secrets: list[str]
    key: str | None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return not (self.stacks or self.buckets or self.databases or self.secrets or self.key)


def take_inventory(deployment: Deployment) -> Inventory:
    """Look what there is."""
    s3, settings = deployment.client("s3"), deployment.settings
    stacks = deployment.stacks()
    own = [name for name in ("source", "warehouse") if not getattr(settings, f"{name}_secret_arn")]
    return Inventory(
        stacks=list(stacks),
        protected=[name for name, stack in stacks.items() if stack.get("EnableTerminationProtection")],
        buckets={name: found for name in deployment.buckets if (found := contents(s3, name))},
        databases=deployment.databases(),
        secrets=[f"{settings.prefix}/{name}" for name in own if deployment.secret_arn(name)],
        key=None if settings.key_arn else deployment.key_arn(),
    )


def as_table(inventory: Inventory, title: str, *, with_data: bool) -> Table:
    """Show it: data is left out where it is kept."""
    table = Table(title=title, title_justify="left", show_header=False)
    for name in inventory.stacks:
        table.add_row("stack", name, "")
    if with_data:
        for name, found in inventory.buckets.items():
            table.add_row("bucket", name, f"{found.versions:,} versions of objects, {found.size / 2**20:,.1f} MiB")
        for name in inventory.databases:
            table.add_row("database", name, "with its tables")
        for name in inventory.secrets:
            table.add_row("secret", name, "")
        if inventory.key:
            table.add_row("key", inventory.key, f"after {KEY_DAYS} days; then nobody can read what it has encrypted")
    return table
