"""The demo, and the oracle that it is compared with."""
