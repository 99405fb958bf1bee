"""The dashboard: described once, shown by Quick Sight, by a live page and by a file."""
