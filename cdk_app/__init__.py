"""Infrastructure: one file for each stack or construct."""
