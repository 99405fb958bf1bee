"""Extraction: one source snapshot becomes one batch in the ingestion bucket."""
