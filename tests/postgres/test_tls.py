"""verify-full against a real PostgreSQL with a private authority, by psycopg's own OpenSSL, without any variable that helps it."""

import os
import shutil
from contextlib import closing

import psycopg
import pytest

from contracts.tls import TlsMode
from lambdas import authorities
from lambdas.errors import DatabaseUnreachableError, SecretError
from lambdas.postgres import connect
from lambdas.secret import ConnectionDetails
from local.servers.postgres import PostgresServer
from tests.support.tls import Authority, TlsProxy
from tools.rds_authorities import AuthorityError
from tools.rds_authorities import authorities as parsed

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="the program openssl makes the certificates; this machine has none"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = PostgresServer(tmp_path_factory.mktemp("tls") / "data", password="hunter2", database="totesys")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(autouse=True)
def no_variables(monkeypatch):
    """Many machines export a store of certificates, and so hide that the wheel's OpenSSL has none."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "PGSSLROOTCERT"):
        monkeypatch.delenv(name, raising=False)
    assert psycopg.pq.__impl__ == "binary" and not [name for name in os.environ if name.startswith("SSL_CERT")]


@pytest.fixture
def open_through(server):
    """Open a connection through TLS with a key and certificate, as a function does; return the query's answer."""
    opened = []

    def open_it(key, certificate, *, tls=TlsMode.VERIFY_FULL, host="localhost", **secret):
        proxy = TlsProxy(key, certificate, server.port)
        opened.append(proxy)
        return _ask(host, proxy.port, tls, **secret)

    yield open_it
    for proxy in opened:
        proxy.close()


def _ask(host, port, tls, **secret):
    details = ConnectionDetails(
        host=host, port=port, dbname="totesys", username="postgres", password="hunter2", **secret
    )
    connection = connect(details, what="source", secret_id="my-secret", tls=tls, application_name="test")
    with closing(connection):
        assert connection.pgconn.ssl_in_use
        return connection.execute("select current_database()").fetchone()[0]


def _refused(open_through, *arguments, **options):
    with pytest.raises(DatabaseUnreachableError) as refused:
        open_through(*arguments, **options)
    text = str(refused.value)
    assert "my-secret" in text and "verify-full" in text and refused.value.__suppress_context__
    assert not [word for word in ("localhost", "127.0.0.1", "hunter2", "elsewhere") if word in text]
    return text


def test_the_authority_of_the_secret_is_believed(authority, open_through):
    assert open_through(*authority.certificate(), ca_certificate=authority.file.read_text()) == "totesys"


def test_no_other_authority_is_believed_beside_that_of_the_secret(authority, open_through, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    other = Authority(tmp_path, "other").file.read_text()
    assert "not trusted" in _refused(open_through, *authority.certificate(), ca_certificate=other)


@pytest.mark.parametrize("where", ["variable", "file of the system"])
def test_the_authorities_of_the_system_are_believed(authority, open_through, monkeypatch, where):
    if where == "variable":
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    else:
        monkeypatch.setattr(authorities, "SYSTEM_FILES", ("/no/such/file.pem", str(authority.file)))
    assert open_through(*authority.certificate()) == "totesys"


def test_the_authorities_of_rds_are_believed(authority, open_through, monkeypatch):
    monkeypatch.setattr(authorities, "RDS_AUTHORITIES", authority.file)
    assert open_through(*authority.certificate()) == "totesys"


def test_a_system_without_authorities_has_those_of_botocore(monkeypatch, tmp_path):
    monkeypatch.setattr(authorities, "SYSTEM_FILES", ())
    text = authorities.trusted_authorities(TlsMode.VERIFY_FULL, None).read_text()
    assert authorities.RDS_AUTHORITIES.read_text() in text and "botocore" in str(authorities._system_file())
    assert text.count("BEGIN CERTIFICATE") > 92 + 100


def test_libpq_s_own_word_for_the_system_believes_nobody(server, authority, monkeypatch):
    """Why the functions do not use it: on a machine that exports no variable, no certificate is verified."""
    with closing(TlsProxy(*authority.certificate(), server.port)) as proxy:
        address = f"host=localhost port={proxy.port} dbname=totesys user=postgres password=hunter2 sslmode=verify-full"
        with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
            psycopg.connect(f"{address} sslrootcert=system")
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        psycopg.connect(f"{address} sslrootcert=system").close()


def test_an_unknown_authority_is_told(authority, open_through):
    assert "authority that is not trusted" in _refused(open_through, *authority.certificate())


def test_a_certificate_for_another_name_is_told(authority, open_through):
    own = {"ca_certificate": authority.file.read_text()}
    assert "for another name than the host" in _refused(open_through, *authority.certificate("elsewhere"), **own)
    assert open_through(*authority.certificate("elsewhere"), tls=TlsMode.VERIFY_CA, **own) == "totesys"


@pytest.mark.parametrize(
    ("dates", "reason"),
    [
        (("20200101000000Z", "20210101000000Z"), "has expired. Renew it"),
        (("20900101000000Z", "20910101000000Z"), "is not valid yet"),
    ],
)
def test_a_certificate_of_another_time_is_told(authority, open_through, dates, reason):
    own = {"ca_certificate": authority.file.read_text()}
    assert reason in _refused(open_through, *authority.certificate(dates=dates), **own)


def test_a_server_without_tls_is_told(server):
    with pytest.raises(DatabaseUnreachableError, match=r"offers no TLS\. Switch it on"):
        _ask("localhost", server.port, TlsMode.VERIFY_FULL)


def test_without_a_check_of_the_name_one_authority_is_believed_and_must_be_named(authority, open_through):
    with pytest.raises(SecretError, match="my-secret lacks ca_certificate, and verify-ca, which checks no name"):
        open_through(*authority.certificate(), tls=TlsMode.VERIFY_CA)


def test_a_server_whose_certificate_nobody_checks(authority, open_through):
    assert open_through(*authority.certificate("elsewhere"), tls=TlsMode.REQUIRE) == "totesys"


def test_what_may_sign_no_others_is_not_taken_for_an_authority_of_rds(authority):
    _, certificate = authority.certificate()
    with pytest.raises(AuthorityError, match="is not that of an authority"):
        parsed(certificate.read_text())
    assert [found.name for found in parsed(authority.file.read_text())] == ["authority"]
