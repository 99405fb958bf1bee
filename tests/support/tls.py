"""A private certificate authority, and TLS in front of a server that was built without it."""

import socket
import ssl
import struct
import subprocess
import threading
from contextlib import closing, suppress

#: What a client of PostgreSQL asks first when it wants TLS.
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
CONFIG = """
[ca]
default_ca = here
[here]
new_certs_dir = {directory}
database = {directory}/index.txt
serial = {directory}/serial
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
commonName = supplied
"""


class Authority:
    """A certificate authority in a directory, made with the program openssl."""

    def __init__(self, directory, name="authority"):
        self.directory, self.name = directory / name, name
        self.directory.mkdir()
        (self.directory / "index.txt").touch()
        (self.directory / "serial").write_text("01\n")
        (self.directory / "config").write_text(CONFIG.format(directory=self.directory))
        self.file = self.directory / "ca.pem"
        extensions = [
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ]
        self._openssl(
            "req", "-x509", *self._key("ca"), "-subj", f"/CN={name}", "-days", "30", *extensions, "-out", self.file
        )

    def certificate(self, host="localhost", dates=("20200101000000Z", "20991231000000Z")):
        """Return a server's key and certificate, for a host, valid between two dates."""
        name = f"{host}-{dates[1]}"
        key, request, signed = (self.directory / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName=DNS:{host}\nbasicConstraints=CA:FALSE\n")
        self._openssl("req", "-new", *self._key(name), "-subj", "/CN=server", "-out", request)
        signing = [
            "-cert",
            self.file,
            "-keyfile",
            self.directory / "ca.key",
            "-extfile",
            extensions,
            "-notext",
            "-batch",
        ]
        between = ["-startdate", dates[0], "-enddate", dates[1]]
        self._openssl("ca", "-config", self.directory / "config", *signing, *between, "-in", request, "-out", signed)
        return key, signed

    def _key(self, name):
        return [
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
            *("-keyout", self.directory / f"{name}.key"),
        ]

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


class TlsProxy:
    """Takes TLS connections as PostgreSQL does, and passes what they hold to a server.

    The PostgreSQL that comes as a wheel was built without OpenSSL. What a client sees is the same: it asks for TLS before it says
    anything else, and the answer is one letter.
    """

    def __init__(self, key, certificate, port):
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._upstream = ("127.0.0.1", port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self):
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, plain):
        with suppress(OSError), closing(plain):
            assert plain.recv(8, socket.MSG_WAITALL) == SSL_REQUEST
            plain.sendall(b"S")
            with (
                self._context.wrap_socket(plain, server_side=True) as client,
                socket.create_connection(self._upstream) as server,
            ):
                back = threading.Thread(target=_pass, args=(server, client), daemon=True)
                back.start()
                _pass(client, server)
                back.join(5)


def _pass(source, target):
    with suppress(OSError, ValueError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
