"""Faults that strike the load at one exchange with the warehouse."""

import functools
import os
import signal
import socket
from contextlib import contextmanager

import boto3
import psycopg
from pyarrow import fs

from lambdas.load.lake_files import LakeFiles
from local.servers.emulator_process import ACCOUNT


@contextmanager
def at_statement(monkeypatch, number, fault, *, after):
    """Let `fault` happen at one exchange with the server: before it, or after it. Yields the number of exchanges."""
    seen = []
    plain = psycopg.Connection.wait

    def wait(connection, generator, *arguments, **options):
        if connection.info.parameter_status("application_name") != "totesys-load":
            return plain(connection, generator, *arguments, **options)
        seen.append(connection)
        strikes = len(seen) == number
        if strikes and not after:
            fault(connection)
        answer = plain(connection, generator, *arguments, **options)
        if strikes and after:
            fault(connection)
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "wait", wait)
        yield seen


def cut(connection):
    socket.socket(fileno=os.dup(connection.fileno())).shutdown(socket.SHUT_RDWR)


def kill(_):
    os.kill(os.getpid(), signal.SIGKILL)


class Refused(psycopg.DataError):
    """An error of SQL."""


def refuse(_):
    raise Refused("injected")


def read_files_directly(pipeline, monkeypatch):
    """Leave out what has nothing to do with statements, and would take most of the time."""
    files = fs.SubTreeFileSystem(str(pipeline.servers.home.s3 / ACCOUNT), fs.LocalFileSystem())
    monkeypatch.setattr(LakeFiles, "open", classmethod(lambda cls, bucket: cls(files, bucket)))
    monkeypatch.setattr(boto3, "client", functools.cache(boto3.client))
