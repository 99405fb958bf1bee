"""Known vulnerabilities: told, and never confused with "nobody could say"."""

import json

import pytest

from local.home import ROOT
from tools import audit


def _says(tmp_path, packages, code=0):
    program = tmp_path / "pip-audit"
    program.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps({'dependencies': packages})}\nEND\nexit {code}\n")
    program.chmod(0o755)
    return program


def test_every_lock_is_audited():
    every = {
        p
        for p in ROOT.rglob("requirements.lock")
        if not {".cache", ".venv", "node_modules"} & set(p.relative_to(ROOT).parts)
    }
    assert {*audit.locks()} == every and len(every) >= 4


def test_a_vulnerability_is_told_with_the_version_that_mends_it(tmp_path):
    flaw = {"id": "PYSEC-1", "fix_versions": ["2.0", "1.9.1"]}
    packages = [{"name": "a", "version": "1", "vulns": [flaw]}, {"name": "b", "version": "1", "vulns": []}]
    assert audit.audit(tmp_path, _says(tmp_path, packages, 1)) == ["a 1: PYSEC-1, fixed in 2.0, 1.9.1"]
    assert audit.audit(tmp_path, _says(tmp_path, packages[1:])) == []


def test_a_package_that_the_service_does_not_know_is_not_clean(tmp_path):
    packages = [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}]
    with pytest.raises(audit.NotAuditedError, match="nothing of 1 of 2 packages"):
        audit.audit(tmp_path, _says(tmp_path, packages))


def test_a_service_that_does_not_answer_is_told(tmp_path):
    program = tmp_path / "pip-audit"
    program.write_text("#!/bin/sh\necho first >&2\necho no route >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(audit.NotAuditedError, match="did not answer: no route"):
        audit.audit(tmp_path, program)


@pytest.mark.parametrize(("outcomes", "code"), [(([], []), 0), ((["a"], []), 1), (([], None), 3), ((None, ["a"]), 1)])
def test_the_exit_code_tells_vulnerable_from_unknown(monkeypatch, capsys, outcomes, code):
    answers = iter(outcomes)

    def answer(lock):
        found = next(answers)
        if found is None:
            raise audit.NotAuditedError("no route")
        return found

    monkeypatch.setattr(audit, "locks", lambda: [ROOT / "one", ROOT / "two"])
    monkeypatch.setattr(audit, "audit", answer)
    with pytest.raises(SystemExit) as ended:
        audit.main()
    assert ended.value.code == code
    assert ("NOT AUDITED, no route" in capsys.readouterr().out) == (None in outcomes)
