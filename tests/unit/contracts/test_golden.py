"""Documents as every release wrote them: they are read, and what this release writes has the shape of the newest ones."""

import dataclasses
import json
import tomllib

import pytest

from contracts.errors import DamagedDocumentError
from contracts.protocol.figures import Figures
from contracts.protocol.listing import Listing
from contracts.protocol.load_note import LoadNote
from contracts.protocol.manifest import Manifest
from contracts.protocol.object_layout import listing_key, load_key, manifest_key, publication_key
from contracts.protocol.publication import Publication
from contracts.protocol.strict_json import added, decode, encode, optional, plain, read
from contracts.release import FORMAT, RELEASE
from local.home import ROOT
from tests.support.golden import GOLDEN, shape

KINDS = {
    "manifest": (Manifest, manifest_key),
    "publication": (Publication, publication_key),
    "listing": (Listing, listing_key),
    "load": (LoadNote, load_key),
}
FILES = sorted(file for file in GOLDEN.glob("*/*.json") if file.stem != "figures")
NAMES = {
    *("manifest-first", "manifest-incremental", "manifest-key-lists", "manifest-unfinished"),
    *("publication-first", "publication", "listing", "load-note", "figures"),
}


def _read(file, data=None):
    cls, key = KINDS[file.stem.split("-")[0]]
    stored = file.read_bytes()
    return cls.from_json(stored if data is None else data, key(json.loads(stored)["batch"]))


def changed(file, **values):
    return json.dumps({**json.loads(file.read_bytes()), **values}).encode()


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_g11_a_document_of_every_release_is_read_and_keeps_its_bytes(file):
    document = _read(file)
    if json.loads(file.read_bytes()).get("format"):  # the first load notes were written by hand
        assert document.to_json() == file.read_bytes()


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*/figures.json")), ids=lambda file: file.parent.name)
def test_g11_the_figures_of_every_release_are_read(file):
    figures = Figures.from_json(file.read_text(), "fact_payment")
    assert (figures.updated, figures.inserted, figures.first_record_id) == (1, 0, 81)
    written = json.loads(figures.to_json())
    assert (written["format"], written["release"]) == (FORMAT, RELEASE)


def test_there_are_documents_of_every_kind_and_format():
    formats = {file.name: {item.stem for item in file.iterdir()} for file in GOLDEN.iterdir()}
    assert formats == {f"format-{number}": NAMES for number in range(1, FORMAT + 1)}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_g11_what_is_written_today_has_the_shape_of_the_newest_golden_documents(name):
    """Written again by this release, a document of the newest format is the same: no field came, went or changed its name."""
    file = GOLDEN / f"format-{FORMAT}" / f"{name}.json"
    stored = json.loads(file.read_bytes())
    again = Figures.from_json(file.read_text(), "x").to_json() if name == "figures" else _read(file).to_json()
    assert shape(json.loads(again)) == shape(stored) and stored["format"] == FORMAT


def test_the_release_is_the_project_s_version():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == RELEASE


def test_what_a_format_did_not_have_is_unknown_in_it():
    file = GOLDEN / "format-1" / "manifest-first.json"
    manifest = _read(file)
    assert (manifest.lake, manifest.extracted_at, manifest.tables["payment"].shape) == ("", "", None)
    assert manifest.taken_at == manifest.snapshot_time
    for change in ({"lake": "x"}, {"format": 2}):
        with pytest.raises(DamagedDocumentError, match="unknown lake" if "lake" in change else "lacks"):
            _read(file, changed(file, **change))


@pytest.mark.parametrize("name", sorted(NAMES - {"figures"}))
def test_a_document_of_a_newer_release_names_it(name):
    file = GOLDEN / f"format-{FORMAT}" / f"{name}.json"
    key = KINDS[name.split("-")[0]][1](json.loads(file.read_bytes())["batch"])
    newer = (
        rf"{key}: has format {FORMAT + 1}, this release \({RELEASE}\) reads 1 to {FORMAT}: deploy release 9.1 or newer"
    )
    with pytest.raises(DamagedDocumentError, match=newer):
        _read(file, changed(file, format=FORMAT + 1, release="9.1"))
    with pytest.raises(
        DamagedDocumentError, match=rf"{key}: has unknown parrot\. If it is no damage, deploy release 9.1 or"
    ):
        _read(file, changed(file, parrot=1, release="9.1"))


def test_figures_of_a_newer_release_name_it():
    text = (GOLDEN / f"format-{FORMAT}" / "figures.json").read_text()
    with pytest.raises(
        DamagedDocumentError, match=r"figures of the newest commit to dim_staff: has format 99.*release 9\.1"
    ):
        Figures.from_json(json.dumps({**json.loads(text), "format": 99, "release": "9.1"}), "dim_staff")


def test_a_field_is_added_without_breaking_a_stored_document():
    """The rule: a new field comes with the next format, and has a default for the documents of the formats before."""

    @dataclasses.dataclass(frozen=True)
    class Before:
        format: int
        batch: int

    @dataclasses.dataclass(frozen=True)
    class After:
        format: int
        batch: int
        colour: str = added(FORMAT, "unknown")

    stored = encode(Before(format=FORMAT - 1, batch=3))
    assert decode(After, stored, "x") == After(FORMAT - 1, 3) and encode(decode(After, stored, "x")) == stored
    written = encode(After(FORMAT, 4, "red"))
    assert decode(After, written, "x").colour == "red"
    with pytest.raises(DamagedDocumentError, match="x: lacks colour"):
        decode(After, encode(Before(FORMAT, 3)), "x")


def test_what_an_event_leaves_out_has_its_default_and_is_not_written():
    @dataclasses.dataclass(frozen=True)
    class Event:
        batch: int
        keys: str | tuple[str, ...] = optional(())

    assert read(Event, {"batch": 1}, "e") == Event(1) and plain(Event(1)) == {"batch": 1}
    assert read(Event, {"batch": 1, "keys": ["a"]}, "e").keys == ("a",)
    assert plain(read(Event, {"batch": 1, "keys": "all"}, "e")) == {"batch": 1, "keys": "all"}
    for wrong, message in (
        ({"batch": 1, "keys": 7}, "e.keys is int"),
        ({"batch": True}, "e.batch is bool"),
        ({}, "lacks"),
    ):
        with pytest.raises(DamagedDocumentError, match=message.replace("e.", "e:.")):
            read(Event, wrong, "e")
