"""Load: published batches become warehouse rows, one transaction each."""
