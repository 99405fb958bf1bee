"""How the lake is looked at: the named queries of Athena."""
