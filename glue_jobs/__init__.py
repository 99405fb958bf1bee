"""The Glue job: CSV batches become the Iceberg star tables of the lake."""
