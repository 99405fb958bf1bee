"""The whole platform on one machine: embedded PostgreSQL, an AWS emulator, a simulator and a CLI."""
