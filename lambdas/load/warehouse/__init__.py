"""The gateway to the warehouse: its names, tables, views, statements and transactions."""
