"""The processes of a local platform, and the tools it needs."""
