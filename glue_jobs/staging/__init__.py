"""What a batch brings, as rows that are ready for the lake: parts, references, quarantine."""
