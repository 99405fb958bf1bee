"""What the command line shows as one message."""


class OperateError(Exception):
    """A command cannot do what it is asked for; the message says why, what state things are in, and what to do."""
