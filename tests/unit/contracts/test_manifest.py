"""Manifest and publication: what is written is read back, and anything else is refused by name."""

import json
from datetime import UTC, datetime

import pytest

from contracts.errors import DamagedDocumentError
from contracts.protocol.manifest import ABSENT, Manifest
from contracts.protocol.object_layout import manifest_key, part_key, publication_key
from contracts.protocol.publication import Publication
from contracts.release import FORMAT
from contracts.tables.first import FIRST_SOURCE_TABLES
from tests.support.samples import manifest, publication


def test_documents_survive_the_round_trip(sample_manifest, sample_publication):
    assert Manifest.from_json(sample_manifest.to_json(), manifest_key(1)) == sample_manifest
    assert Publication.from_json(sample_publication.to_json(), publication_key(1)) == sample_publication


def test_equal_documents_are_equal_bytes():
    assert manifest(3).to_json() == manifest(3).to_json()


def _paths(value, path=()):
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _paths(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))


def _changed(document, path, change):
    copy = json.loads(json.dumps(document))
    place = copy
    for step in path[:-1]:
        place = place[step]
    change(place, path[-1])
    return json.dumps(copy).encode()


@pytest.mark.parametrize(
    ("make", "cls", "key"), [(manifest, Manifest, manifest_key), (publication, Publication, publication_key)]
)
def test_g3_every_missing_field_is_refused_by_name(make, cls, key):
    document = json.loads(make(2).to_json())
    for path in _paths(document):
        with pytest.raises(DamagedDocumentError, match=str(path[-1])):
            cls.from_json(_changed(document, path, lambda place, step: place.pop(step)), key(2))


def test_a_table_that_the_contract_has_gained_since_is_absent(monkeypatch):
    monkeypatch.setattr("contracts.protocol.manifest.FIRST_SOURCE_TABLES", FIRST_SOURCE_TABLES - {"payment"})
    document = json.loads(manifest(2).to_json())
    del document["tables"]["payment"]
    read = Manifest.from_json(json.dumps(document).encode(), manifest_key(2))
    assert "payment" not in read.tables and read.tables["payment"] == ABSENT
    assert json.loads(read.to_json()) == document
    with pytest.raises(KeyError, match="parrot"):
        read.tables["parrot"]
    document["tables"]["parrot"] = document["tables"]["staff"]
    with pytest.raises(DamagedDocumentError, match="unknown tables parrot: deploy the release that wrote it or newer"):
        Manifest.from_json(json.dumps(document).encode(), manifest_key(2))


@pytest.mark.parametrize(
    ("make", "cls", "key"), [(manifest, Manifest, manifest_key), (publication, Publication, publication_key)]
)
def test_g3_every_value_of_another_type_is_refused(make, cls, key):
    document = json.loads(make(2).to_json())
    for path in _paths(document):
        with pytest.raises(DamagedDocumentError, match="expected"):
            cls.from_json(_changed(document, path, lambda place, step: place.__setitem__(step, 1.5)), key(2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": FORMAT + 1}, f"format {FORMAT + 1}, this release .* reads 1 to {FORMAT}"),
        ({"format": 0}, "format 0"),
        ({"batch": 0, "previous": None}, "batch 0"),
        ({"previous": 7}, "previous is 7"),
        ({"snapshot_time": "yesterday"}, "yesterday"),
        ({"surprise": 1}, "unknown surprise"),
        ({"horizon": True}, "bool"),
        ({"first": 3}, "first is 3, expected 1 to 2"),
        ({"first": 0}, "first is 0"),
        ({"first": 1}, "without the key lists of all tables"),
        ({"unfinished": {"since": None, "horizon": 1, "tables": {"parrot": 7}, "whole": []}}, "unknown tables parrot"),
        ({"unfinished": {"since": 1, "horizon": 1, "tables": {}, "whole": ["parrot"]}}, "unknown tables parrot"),
        ({"extracted_at": "now"}, "now"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(change, message):
    document = {**json.loads(manifest(2).to_json()), **change}
    with pytest.raises(DamagedDocumentError, match=message):
        Manifest.from_json(json.dumps(document).encode(), manifest_key(2))


def test_a_publication_that_follows_itself_is_refused():
    document = {**json.loads(publication(2).to_json()), "first": 3}
    with pytest.raises(DamagedDocumentError, match="first is 3, expected 1 to 2"):
        Publication.from_json(json.dumps(document).encode(), publication_key(2))


def test_a_table_whose_rows_do_not_add_up_is_refused():
    document = json.loads(manifest(1).to_json())
    document["tables"]["staff"]["rows"] = 99
    with pytest.raises(DamagedDocumentError, match=r"staff.*99"):
        Manifest.from_json(json.dumps(document).encode(), manifest_key(1))
    document["tables"]["staff"].update(rows=3, key_parts=[])
    with pytest.raises(DamagedDocumentError, match=r"staff.*0 keys"):
        Manifest.from_json(json.dumps(document).encode(), manifest_key(1))
    document["tables"]["staff"].update(key_parts=None, read="some")
    with pytest.raises(DamagedDocumentError, match="some"):
        Manifest.from_json(json.dumps(document).encode(), manifest_key(1))


def test_tables_that_the_contract_does_not_know_are_refused():
    document = json.loads(manifest(1).to_json())
    document["tables"]["parrot"] = document["tables"]["staff"]
    with pytest.raises(DamagedDocumentError, match="unknown tables parrot"):
        Manifest.from_json(json.dumps(document).encode(), manifest_key(1))


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[]", b"null", b'"x"'])
def test_what_is_no_json_object_is_refused(data):
    with pytest.raises(DamagedDocumentError, match="batches/00000001"):
        Manifest.from_json(data, manifest_key(1))


def test_a_document_under_another_number_is_refused():
    with pytest.raises(DamagedDocumentError, match="document of batch 2"):
        Manifest.from_json(manifest(2).to_json(), manifest_key(3))


def test_keys_sort_as_numbers_do():
    keys = [manifest_key(n) for n in (1, 9, 10, 99_999_999)]
    assert keys == sorted(keys) and publication_key(123) == "publications/00000123.json"
    day = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    assert part_key("staff", day, 123, "ab", 1) == "staff/extracted_date=2026-11-20/00000123-ab-0001.csv"
