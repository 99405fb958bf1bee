"""The workflows: what zizmor cannot know of them, without zizmor."""

import re

import pytest
import yaml

from local.home import ROOT

FILES = sorted([*(ROOT / ".github" / "workflows").glob("*.yml"), *(ROOT / ".github" / "actions").rglob("action.yml")])
WORKFLOWS = {file.stem: yaml.safe_load(file.read_text("utf-8")) for file in FILES if file.parent.name == "workflows"}
JOBS = {f"{name}/{job}": content for name, workflow in WORKFLOWS.items() for job, content in workflow["jobs"].items()}
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_action_is_pinned_by_commit_with_its_version(file):
    used = re.findall(r"uses: (\S+)(.*)", file.read_text("utf-8"))
    foreign = [(action, comment) for action, comment in used if not action.startswith("./")]
    assert foreign
    for action, comment in foreign:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) and re.fullmatch(r" # v\d+\.\d+\.\d+", comment), (
            action
        )


def test_one_action_is_pinned_to_one_commit():
    pins = {tuple(pin.split("@")) for file in FILES for pin in re.findall(r"uses: (\S+@\S+)", file.read_text("utf-8"))}
    assert len(pins) == len({action for action, _ in pins}) == 4


@pytest.mark.parametrize("job", JOBS)
def test_every_step_is_a_target_that_runs_on_a_laptop_too(job):
    commands = [step["run"] for step in JOBS[job]["steps"] if "run" in step]
    targets = [match[1] for c in commands if (match := re.match(r"make ([a-z-]+)", c))]
    assert not set(targets) - set(TARGETS)
    assert {c for c in commands if not c.startswith("make ")} <= {
        ".ci/run",
        *(c for c in commands if c.startswith("echo ")),
    }


@pytest.mark.parametrize("job", JOBS)
def test_every_job_ends_and_no_checkout_leaves_the_token_behind(job):
    assert JOBS[job]["timeout-minutes"] >= 30
    checkouts = [step for step in JOBS[job]["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False]


def test_the_tests_have_twice_the_time_that_slow_cores_need():
    assert JOBS["ci/test"]["timeout-minutes"] >= 150


def test_no_push_ends_a_deployment():
    ci = WORKFLOWS["ci"]
    assert ci["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    assert "|| github.run_id" in ci["concurrency"]["group"], "two runs of main have no group in common"
    for name in ("dev", "prod"):
        job = JOBS[f"ci/deploy-{name}"]
        assert job["concurrency"] == {"group": f"deploy-{name}", "cancel-in-progress": False}
        assert job["environment"] == name and job["steps"][-1]["run"].startswith(f"make deploy ENV={name} ")
        assert "github.ref == 'refs/heads/main' && github.event_name == 'push'" in job["if"]
    assert JOBS["ci/deploy-dev"]["needs"] == ["test", "lint-infra"] and JOBS["ci/deploy-prod"]["needs"] == "deploy-dev"


def test_rights_beyond_reading_are_given_where_they_are_used():
    assert {name: w["permissions"] for name, w in WORKFLOWS.items()} == {n: {"contents": "read"} for n in WORKFLOWS}
    extra = {name: {right for right in job.get("permissions", {}) if right != "contents"} for name, job in JOBS.items()}
    assert {name: rights for name, rights in extra.items() if rights} == {
        "ci/diff": {"id-token", "pull-requests"},
        "ci/deploy-dev": {"id-token"},
        "ci/deploy-prod": {"id-token"},
    }


def test_a_fork_and_dependabot_are_not_compared():
    job = JOBS["ci/diff"]
    assert "head.repo.full_name == github.repository" in job["env"]["ROLE"] and "dependabot[bot]" in job["env"]["ROLE"]
    first, *others = job["steps"]
    assert first["if"] == "env.ROLE == ''" and "::notice::" in first["run"]
    assert {step["if"] for step in others} == {"env.ROLE != ''"}


def test_dependabot_looks_after_every_place_that_pins():
    updates = {
        u["package-ecosystem"]: u for u in yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    }
    assert set(updates) == {"pip", "npm", "github-actions"} and all(u["groups"] for u in updates.values())
    tracked = [f.relative_to(ROOT) for pattern in ("*", "*/*", "*/*/*") for f in ROOT.glob(pattern) if f.is_file()]
    skipped = {".cache", ".venv", "node_modules", "build", "cdk.out"}

    def places(suffix):
        return {
            "/" + str(f.parent).removeprefix(".")
            for f in tracked
            if f.name.endswith(suffix) and not skipped & set(f.parts)
        }

    pinned = {re.sub("^/lambdas/.*", "/lambdas/*", place) for place in places("requirements.txt")}
    assert set(updates["pip"]["directories"]) == pinned
    assert set(updates["npm"]["directories"]) == places("package-lock.json")
