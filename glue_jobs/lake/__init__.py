"""The lake: all that knows Iceberg."""
