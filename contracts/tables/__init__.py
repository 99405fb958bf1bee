"""The tables: their types, columns, keys, references, and what is current of them."""
