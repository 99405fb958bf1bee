"""A source that looks and changes like the real ``totesys``."""
