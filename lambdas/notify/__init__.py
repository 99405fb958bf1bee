"""The notify function: one message a failure, not one a retry."""
