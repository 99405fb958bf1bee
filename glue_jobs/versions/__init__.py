"""What becomes of staged rows: new versions, deletions, histories, calendar."""
