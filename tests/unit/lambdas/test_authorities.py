"""The certificate authorities of RDS: complete, valid, and what the file's header says; and how they come about."""

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from lambdas.authorities import RDS_AUTHORITIES, _written
from tools.rds_authorities import PACKAGE, SHA256, Authority, authorities, write

TEXT = RDS_AUTHORITIES.read_text("utf-8")
BODY = TEXT.split("\n", 4)[4]


def test_the_file_is_what_its_header_says():
    digest = re.search(r"SHA-256 of what follows this line: (\w{64})\n", TEXT)[1]
    assert hashlib.sha256(BODY.encode()).hexdigest() == digest
    assert f"npm package {PACKAGE} (MIT licence), SHA-256 {SHA256}" in TEXT
    assert f"{TEXT.count('BEGIN CERTIFICATE')} certificates" in TEXT and re.search(r"Date: \d{4}-\d\d-\d\d;", TEXT)


def test_every_certificate_is_that_of_an_authority_and_stays_valid_for_a_year():
    found = authorities(TEXT)  # refuses what is no authority's
    assert len(found) == TEXT.count("BEGIN CERTIFICATE") > 80
    soon = (datetime.now(UTC) + timedelta(days=365)).timestamp()
    late = [a.name for a in found if a.expires < soon]
    assert not late, (
        f"these expire within a year; look for a newer {PACKAGE.split('@')[0]}, then make rds-authorities: {late}"
    )


def test_a_region_has_its_three_authorities():
    names = [a.name for a in authorities(TEXT)]
    for region in ("us-east-1", "eu-west-2", "eu-central-1", "ap-southeast-2"):
        kinds = {name.removeprefix(f"Amazon RDS {region} Root CA ") for name in names if f" {region} " in name}
        assert {"ECC384 G1", "RSA2048 G1", "RSA4096 G1"} <= kinds, region


def test_what_has_expired_is_left_out_and_the_rest_is_in_the_order_of_names():
    found = [Authority("b", 2**31, "B\n"), Authority("old", 10, "O\n"), Authority("a", 2**31, "A\n")]
    text = write(found, datetime(2026, 11, 26, tzinfo=UTC))
    assert text.endswith("\n# a, until 2038-01-19\nA\n\n# b, until 2038-01-19\nB\n") and "old" not in text
    assert "Date: 2026-11-26; 2 certificates" in text
    assert write(reversed(found), datetime(2026, 11, 26, tzinfo=UTC)) == text


def test_who_reads_the_file_while_another_connection_writes_it_sees_all_of_it(tmp_path, monkeypatch):
    """Doctor looks at both databases at once; a file that is emptied first would be trusted as an empty one."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    text = "x" * 2**21
    file = _written(text)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(lambda: [_written(text) for _ in range(40)])
        seen = set()
        while not writing.done():
            seen.add(file.stat().st_size)
    assert seen == {len(text)} and [*tmp_path.iterdir()] == [file]
