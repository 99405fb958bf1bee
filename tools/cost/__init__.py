"""What a deployment costs a month: ``docs/cost.md``, written by ``make cost``."""
