"""A run of the job in a process that was started ahead."""

import json
import time

import psutil
import pytest

from local.home import Home
from local.servers.emulator_process import REGION, Aws
from local.spark.ahead import PRACTICE_LOG, Ahead, SparkRun
from local.spark.jvm import DEFAULTS
from local.spark.settings import write_spark_defaults

LOGIN = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret-of-the-run", "AWS_SESSION_TOKEN": "token"}
SCRIPT = """
import json, os, sys
import brought
from pyspark.sql import SparkSession
spark = SparkSession.builder.appName("run").getOrCreate()
system = spark._jvm.java.lang.System
print("TOLD", json.dumps({
    "arguments": sys.argv[1:],
    "library": brought.NAME,
    "python": os.environ["AWS_SECRET_ACCESS_KEY"],
    "java": [system.getProperty(f"aws.{name}") for name in ("accessKeyId", "secretAccessKey", "sessionToken")],
    "rows": spark.range(3).count(),
    "compiles": spark.conf.get("spark.sql.codegen.wholeStage"),
    "default": spark._jvm.SparkSession.getDefaultSession().get().equals(spark._jsparkSession),
    "ours": sorted({"local", "contracts", "glue_jobs"} & set(sys.modules)),
}), flush=True)
sys.exit(int(sys.argv[1]))
"""


@pytest.fixture
def place(tmp_path):
    for name in ("logs", "scratch", "library"):
        (tmp_path / name).mkdir()
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "library" / "brought.py").write_text("NAME = 'the job brings it'")
    return tmp_path


@pytest.fixture
def ahead(place):
    started = Ahead(place / "settings", place / "logs", place / "scratch", {"PATH": "/usr/bin:/bin"}, practises=False)
    yield started
    for process in children():
        process.kill()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """An emulator that checks permissions, as that of a platform does."""
    home = Home(tmp_path_factory.mktemp("practised"))
    home.create()
    aws = Aws(home)
    endpoint = aws.start()
    aws.enforce_iam()
    yield home, endpoint
    aws.stop()


@pytest.fixture
def practising(place, emulator):
    """A process that waits for a run, and its JVM practises."""
    write_settings(place, endpoint=emulator[1])
    own = {"PATH": "/usr/bin:/bin", "AWS_ENDPOINT_URL": emulator[1], "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    ahead = Ahead(place / "settings", place / "logs", place / "scratch", own)
    ahead.prepare()
    yield ahead
    for process in children():
        process.kill()


def write_settings(place, *, endpoint="http://127.0.0.1:1"):
    write_spark_defaults(
        place / "settings",
        endpoint=endpoint,
        warehouse="s3://none/star",
        scratch=place / "scratch",
    )


def children():
    return [p for p in psutil.Process().children() if "waiting.py" in " ".join(p.cmdline())]


def until(found, seconds=60):
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


def a_run(place, code=0):
    return SparkRun(str(place / "script.py"), [str(code), "b c"], place / "library", LOGIN)


def told(log):
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("TOLD ")]
    return json.loads(line.removeprefix("TOLD "))


def test_a_run_has_its_own_login_arguments_library_and_log_and_ends_with_its_code(place, ahead):
    write_settings(place)
    ahead.prepare()
    ahead.prepare()
    (waiting,) = children()
    log = place / "logs" / "run.log"
    process = ahead.begin(a_run(place, code=3), log)
    assert process.pid == waiting.pid, "the process that had waited"
    shown = until(lambda: [p for p in psutil.Process().children() if "script.py 3 b c" in " ".join(p.cmdline())])
    assert shown == [waiting], "the run is found by its script and arguments"
    assert process.wait(60) == 3
    assert told(log) == {
        "arguments": ["3", "b c"],
        "library": "the job brings it",
        "python": "secret-of-the-run",
        "java": list(LOGIN.values()),
        "rows": 3,
        "compiles": "true",
        "default": True,
        "ours": [],
    }
    assert list((place / "logs").iterdir()) == [log]


def test_a_run_that_has_nothing_left_to_do_ends_at_once_with_all_that_it_printed_and_its_java(place, ahead):
    write_settings(place)
    (place / "script.py").write_text("import atexit\natexit.register(print, 'tidied up')\nprint('TOLD ' + '[1]')\n")
    ahead.prepare()
    (waiting,) = children()
    java = until(lambda: [p for p in waiting.children(recursive=True) if "java" in p.name()])
    log = place / "logs" / "run.log"
    assert ahead.begin(a_run(place), log).wait(60) == 0
    assert told(log) == [1]
    assert "tidied up" not in log.read_text(), "to tidy up takes a fifth of a second"
    assert psutil.wait_procs(java, timeout=60)[1] == []


def test_without_settings_nothing_waits(place, ahead):
    ahead.prepare()
    assert children() == []


def test_a_run_does_not_need_a_process_that_waits(place, ahead):
    write_settings(place)
    log = place / "logs" / "run.log"
    assert ahead.begin(a_run(place), log).wait(60) == 0
    assert told(log)["rows"] == 3


def test_a_process_that_was_killed_is_replaced(place, ahead):
    write_settings(place)
    ahead.prepare()
    (waiting,) = children()
    waiting.kill()
    waiting.wait(10)
    assert ahead.begin(a_run(place), place / "logs" / "run.log").wait(60) == 0


def test_a_process_that_ends_just_as_it_is_handed_a_run_is_replaced(place, ahead, monkeypatch):
    write_settings(place)
    ahead.prepare()
    (waiting,) = children()
    waiting.kill()
    waiting.wait(10)
    with monkeypatch.context() as patch:
        patch.setattr("subprocess.Popen.poll", lambda process: None)  # nobody has noticed
        process = ahead.begin(a_run(place), place / "logs" / "run.log")
    assert process.wait(60) == 0
    assert [file.name for file in (place / "logs").iterdir()] == ["run.log"]


def test_a_process_with_settings_of_before_is_replaced(place, ahead):
    write_settings(place)
    ahead.prepare()
    (old,) = children()
    write_settings(place, endpoint="http://127.0.0.1:2")
    ahead.prepare()
    old.wait(10)
    (new,) = children()
    assert new.pid != old.pid
    assert "127.0.0.1:2" in (place / "settings" / DEFAULTS).read_text()
    assert len(list((place / "logs").iterdir())) == 1


def test_when_whoever_started_it_is_gone_it_ends_with_its_java(place, ahead):
    write_settings(place)
    ahead.prepare()
    (waiting,) = children()
    java = until(lambda: [p for p in waiting.children(recursive=True) if "java" in p.name()])
    ahead._waiting.process.stdin.close()
    assert psutil.wait_procs([*java, waiting], timeout=60)[1] == []


def practices():
    return [p for w in children() for p in w.children() if "local.spark.practice" in " ".join(p.cmdline())]


def lakes(emulator):
    """Buckets of accounts that practise."""
    home, _ = emulator
    return [bucket for account in home.s3.iterdir() for bucket in account.iterdir()]


def _is_untouched(told):
    """What a run finds in a JVM that has practised."""
    assert told["java"] == list(LOGIN.values()), "its own login"
    assert told["compiles"] == "true", "no settings of the practice"
    assert told["default"] and told["rows"] == 3, "its own session"
    assert told["ours"] == [], "no module of the practice"


def test_the_jvm_practises_the_whole_job_and_leaves_nothing(place, practising, emulator):
    printed = place / "logs" / PRACTICE_LOG
    until(lambda: printed.exists() and printed.read_text().endswith("practised\n"), seconds=240)
    assert printed.read_text().count(": published after") == 6
    assert "quarantined" not in printed.read_text(), "its rows are as the contracts want them"
    assert lakes(emulator) == []
    log = place / "logs" / "run.log"
    assert practising.begin(a_run(place), log).wait(60) == 0
    _is_untouched(told(log))


def test_a_run_need_not_wait_until_the_practice_is_over(place, practising, emulator):
    printed = place / "logs" / PRACTICE_LOG
    until(lambda: printed.exists() and "published" in printed.read_text(), seconds=240)
    (practice,) = practices()
    log = place / "logs" / "run.log"
    assert practising.begin(a_run(place), log).wait(60) == 0
    assert not practice.is_running()
    assert printed.read_text().count(": published after") < 6, "it was in the middle"
    _is_untouched(told(log))
    assert lakes(emulator), "the next practice removes them"


def test_a_practice_that_cannot_begin_does_not_matter_to_the_run(place):
    write_settings(place)
    (place / "logs" / PRACTICE_LOG).mkdir()
    ahead = Ahead(place / "settings", place / "logs", place / "scratch", {"PATH": "/usr/bin:/bin"})
    assert ahead.begin(a_run(place), place / "logs" / "run.log").wait(60) == 0


def test_a_practice_that_fails_does_not_matter_to_the_run(place):
    write_settings(place)
    ahead = Ahead(place / "settings", place / "logs", place / "scratch", {"PATH": "/usr/bin:/bin"})
    ahead.prepare()
    printed = place / "logs" / PRACTICE_LOG
    until(lambda: printed.exists() and "Error" in printed.read_text())
    assert ahead.begin(a_run(place), place / "logs" / "run.log").wait(60) == 0
