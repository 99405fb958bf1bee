"""Documents as earlier releases wrote them: they are read, and written again they are the same bytes."""

import json

import pytest

from contracts.errors import DamagedDocumentError
from contracts.protocol.listing import Listing
from contracts.protocol.manifest import Manifest
from contracts.protocol.object_layout import listing_key, manifest_key, publication_key
from contracts.protocol.publication import Publication
from local.home import ROOT

GOLDEN = ROOT / "tests" / "golden"
KINDS = {
    "manifest": (Manifest, manifest_key),
    "publication": (Publication, publication_key),
    "listing": (Listing, listing_key),
}
FILES = sorted(file for file in GOLDEN.glob("*/*.json") if file.stem.split("-")[0] in KINDS)


def _read(file, data=None):
    cls, key = KINDS[file.stem.split("-")[0]]
    stored = file.read_bytes()
    return cls.from_json(stored if data is None else data, key(json.loads(stored)["batch"]))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_a_document_of_an_earlier_release_is_read_and_keeps_its_bytes(file):
    assert _read(file).to_json() == file.read_bytes()


def test_there_are_documents_of_every_kind():
    assert {file.stem.split("-")[0] for file in FILES} == KINDS.keys() and len(FILES) >= 6


def test_what_a_format_did_not_have_is_unknown_in_it():
    file = GOLDEN / "format-1" / "manifest-first.json"
    manifest = _read(file)
    assert (manifest.lake, manifest.extracted_at, manifest.tables["payment"].shape) == ("", "", None)
    assert manifest.taken_at == manifest.snapshot_time
    for change in ({"lake": "x"}, {"format": 2}):
        with pytest.raises(DamagedDocumentError, match="unknown lake" if "lake" in change else "lacks"):
            _read(file, json.dumps({**json.loads(file.read_bytes()), **change}).encode())
