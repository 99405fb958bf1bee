"""The batch protocol: its documents, where they lie, and how far each stage is."""
