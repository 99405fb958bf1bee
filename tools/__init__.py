"""Commands of the repository: documents that are written from the code. Nothing of it is deployed."""
