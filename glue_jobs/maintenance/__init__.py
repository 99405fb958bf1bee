"""The job's other modes: maintenance, replay, the listing of the lake's files."""
