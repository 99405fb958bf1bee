"""A run of the job in a process that was started ahead."""

import contextlib
import json
import subprocess
import time

import psutil
import pytest
from py4j.clientserver import ClientServer, JavaParameters, PythonParameters

from local.home import Home
from local.servers.emulator_process import REGION, Aws
from local.spark.ahead import JVM_LOG, PRACTICE_LOG, Ahead, SparkRun
from local.spark.jvm import DEFAULTS
from local.spark.settings import write_spark_defaults
from local.spark.waiting import PRACTISED

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
    "before": system.setProperty("test.before", "a run was here"),
    "views": spark.catalog.dropTempView("of_the_run"),
}), flush=True)
spark.range(1).createTempView("of_the_run")
spark.conf.set("spark.sql.codegen.wholeStage", "false")
sys.exit(int(sys.argv[1]))
"""
#: Holds many of the JVM's objects as it ends, and tells how many objects of how many runs are held.
HOLDING = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("TOLD", spark.sparkContext._gateway.java_gateway_server.getGateway().getBindings().size())
kept = [spark._jvm.java.util.ArrayList() for _ in range(300)]
"""
#: Prints something in the JVM, through the logger of Spark.
PRINTING = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("before", flush=True)
spark._jvm.org.apache.log4j.LogManager.getLogger("test").error("divided by nought")
print("after")
"""


def a_place(directory):
    for name in ("logs", "scratch", "library"):
        (directory / name).mkdir()
    (directory / "script.py").write_text(SCRIPT)
    (directory / "library" / "brought.py").write_text("NAME = 'the job brings it'")
    return directory


@pytest.fixture
def place(tmp_path):
    return a_place(tmp_path)


@pytest.fixture
def ahead(place):
    """One without settings yet."""
    yield Ahead(place / "settings", place / "logs", place / "scratch", {"PATH": "/usr/bin:/bin"}, practises=False)
    end_all()


@pytest.fixture(scope="module")
def used(tmp_path_factory):
    """One that earlier tests have used; each leaves it so that the next one can."""
    place = a_place(tmp_path_factory.mktemp("used"))
    write_settings(place)
    yield Ahead(place / "settings", place / "logs", place / "scratch", {"PATH": "/usr/bin:/bin"}, practises=False)
    end_all()


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
    end_all()


def write_settings(place, *, endpoint="http://127.0.0.1:1"):
    write_spark_defaults(
        place / "settings",
        endpoint=endpoint,
        warehouse="s3://none/star",
        scratch=place / "scratch",
    )


def command(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended
        return ""


def children(name="waiting.py"):
    return [p for p in psutil.Process().children() if name in command(p)]


def jvms():
    return [p for keeper in children("kept_jvm.py") for p in keeper.children() if "SparkSubmit" in command(p)]


def end_all():
    for process in (*children(), *children("kept_jvm.py"), *jvms()):
        process.kill()


def until(found, seconds=60):
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


@contextlib.contextmanager
def java_of(ahead):
    """Reach the JVM that waits, without a session."""
    told = json.loads(ahead._waiting.jvm.gateway)
    client = ClientServer(
        java_parameters=JavaParameters(port=told["port"], auth_token=told["secret"]),
        python_parameters=PythonParameters(port=0, eager_load=False),
    )
    yield client.jvm.java
    client.close()


def a_run(place, code=0):
    return SparkRun(str(place / "script.py"), [str(code), "b c"], place / "library", LOGIN)


def run(ahead, place, log="run.log"):
    """Let a run happen; return its process id and its code."""
    with ahead.running(a_run(place), place / "logs" / log) as process:
        return process.pid, process.wait(60)


def told(log):
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("TOLD ")]
    return json.loads(line.removeprefix("TOLD "))


def test_a_run_has_its_own_login_arguments_library_and_log_and_ends_with_its_code(place, used):
    used.prepare()
    used.prepare()
    (waiting,) = children()
    log = place / "logs" / "run.log"
    with used.running(a_run(place, code=3), log) as process:
        assert process.pid == waiting.pid, "the process that had waited"
        shown = until(lambda: [p for p in psutil.Process().children() if "script.py 3 b c" in command(p)])
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
        "before": None,
        "views": False,
    }
    assert jvms() == children("kept_jvm.py") == [], "a JVM that may still be at work is not kept"
    assert [file.name for file in (place / "logs").iterdir()] == ["run.log"]
    assert [file.name for file in used._logs.iterdir()] == [JVM_LOG]


def test_a_run_that_has_nothing_left_to_do_ends_at_once_with_all_that_it_printed(place, used):
    (place / "script.py").write_text("import atexit\natexit.register(print, 'tidied up')\nprint('TOLD ' + '[1]')\n")
    assert run(used, place)[1] == 0
    assert told(place / "logs" / "run.log") == [1]
    assert "tidied up" not in (place / "logs" / "run.log").read_text(), "to tidy up takes a fifth of a second"


def test_the_next_run_has_the_jvm_of_one_that_ended_well_and_nothing_else_of_it(place, used):
    first, code = run(used, place, log="1.log")
    (java,) = jvms()
    assert code == 0
    used.prepare()
    second, code = run(used, place, log="2.log")
    assert code == 0 and jvms() == [java] and second != first
    before, after = (told(place / "logs" / name) for name in ("1.log", "2.log"))
    assert after["before"] == "a run was here", "it is the same JVM"
    assert before | {"before": 0} == after | {"before": 0}
    assert len(children("kept_jvm.py")) == 1


def test_g12_a_jvm_that_waits_has_neither_the_login_nor_the_objects_of_the_last_run(place, used):
    (place / "script.py").write_text(HOLDING)
    assert run(used, place, log="1.log")[1] == run(used, place, log="2.log")[1] == 0
    assert told(place / "logs" / "2.log") <= told(place / "logs" / "1.log") + 20
    used.prepare()
    with java_of(used) as java:
        for name in ("accessKeyId", "secretAccessKey", "sessionToken"):
            until(lambda name=name: java.lang.System.getProperty(f"aws.{name}") is None)


def test_what_a_jvm_prints_is_in_the_log_of_the_run_that_has_it(place, used):
    (place / "script.py").write_text(PRINTING)
    for log in ("1.log", "2.log"):
        assert run(used, place, log=log)[1] == 0
    used.prepare()
    with java_of(used) as java:
        until(lambda: java.lang.System.getProperty("aws.secretAccessKey") is None)
        until(
            lambda: (
                java.lang.System.err.println("nobody has it") or "nobody has it" in (used._logs / JVM_LOG).read_text()
            )
        )
    for log in ("1.log", "2.log"):
        printed = (place / "logs" / log).read_text()
        first, second, third = printed.splitlines()
        assert (first, third) == ("before", "after") and second.endswith("divided by nought")


def test_g3_a_jvm_ends_with_a_run_that_is_killed(place, used):
    with used.running(a_run(place), place / "logs" / "1.log") as process:
        (java,) = jvms()
        process.kill()
        process.wait(10)
    assert not java.is_running() and jvms() == []
    assert [file.name for file in used._scratch.iterdir() if file.name.startswith(("blockmgr-", "spark-"))] == []
    assert run(used, place, log="2.log")[1] == 0


def test_a_run_that_is_given_up_ends_with_its_jvm(place, used):
    (place / "script.py").write_text("import time\ntime.sleep(600)")
    with (
        pytest.raises(subprocess.TimeoutExpired),
        used.running(a_run(place), place / "run.log") as process,
    ):
        process.wait(3)
    assert process.poll() is not None and jvms() == []


def test_two_runs_at_a_time_have_a_jvm_each_and_one_is_kept(place, used):
    (place / "script.py").write_text(f"import os, time\nwhile not os.path.exists('{place}/over'): time.sleep(0.05)")
    logs = place / "logs"
    with used.running(a_run(place), logs / "1.log") as one, used.running(a_run(place), logs / "2.log") as two:
        used.prepare()
        assert len(jvms()) == 2 and used._waiting is None, "nothing waits beside a run"
        (place / "over").touch()
        assert one.wait(60) == two.wait(60) == 0
    assert len(jvms()) == 1
    used.prepare()
    assert len(jvms()) == len(children()) == 1


def test_a_run_does_not_need_a_process_that_waits(place, used):
    assert run(used, place)[1] == 0
    assert told(place / "logs" / "run.log")["rows"] == 3


@pytest.mark.parametrize("found", [children, jvms], ids=["process", "jvm"])
def test_what_was_killed_while_it_waited_is_replaced(place, used, found):
    used.prepare()
    (waiting,) = found()
    noticed = used._waiting.process if found is children else used._waiting.jvm.keeper
    waiting.kill()
    noticed.wait(10)
    assert run(used, place)[1] == 0


def test_a_process_that_ends_just_as_it_is_handed_a_run_is_replaced(place, used, monkeypatch):
    used.prepare()
    (waiting,) = children()
    waiting.kill()
    waiting.wait(10)
    monkeypatch.setattr("local.spark.ahead._Waiting.is_usable", lambda waiting, settings: True)  # nobody has noticed
    assert run(used, place)[1] == 0
    assert [file.name for file in used._logs.iterdir()] == [JVM_LOG]


def test_without_settings_nothing_waits(place, ahead):
    ahead.prepare()
    assert children() == []


def test_a_jvm_ends_after_many_runs(place, ahead, monkeypatch):
    monkeypatch.setattr("local.spark.ahead.RUNS", 2)
    write_settings(place)
    found = []
    for number in range(3):
        assert run(ahead, place, log=f"{number}.log")[1] == 0
        found += jvms()
        ahead.prepare()
    assert found[0] == found[1] != found[2]


def test_spark_that_cannot_start_is_an_error_that_says_why(place, ahead):
    write_settings(place)
    with (place / "settings" / DEFAULTS).open("a") as settings:
        settings.write("spark.master nonsense\n")
    ahead.prepare()
    with pytest.raises(OSError, match=r"Spark does not start(?s:.*)Master must"):
        run(ahead, place)
    assert children() == jvms() == [] and [file.name for file in (place / "logs").iterdir()] == [JVM_LOG]


def test_what_waits_with_settings_of_before_is_replaced(place, ahead):
    write_settings(place)
    ahead.prepare()
    old = [*children(), *jvms()]
    write_settings(place, endpoint="http://127.0.0.1:2")
    ahead.prepare()
    assert psutil.wait_procs(old, timeout=10)[1] == []
    assert len(children()) == len(jvms()) == 1
    assert "127.0.0.1:2" in (place / "settings" / DEFAULTS).read_text()
    assert len(list((place / "logs").glob("transform-next-*"))) == 1


def test_when_whoever_started_them_is_gone_process_and_jvm_end(place, ahead):
    write_settings(place)
    ahead.prepare()
    waiting, keeper = (psutil.Process(one.pid) for one in (ahead._waiting.process, ahead._waiting.jvm.keeper))
    found = [waiting, keeper, *keeper.children()]
    assert "SparkSubmit" in command(found[-1])
    ahead._waiting.process.stdin.close()
    ahead._waiting.jvm.keeper.stdin.close()
    assert psutil.wait_procs(found, timeout=60)[1] == []


def practices():
    return [p for w in children() for p in w.children() if "local.spark.practice" in command(p)]


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
    with java_of(practising) as java:
        until(lambda: java.lang.System.getProperty(PRACTISED))
    assert run(practising, place)[1] == 0
    _is_untouched(told(place / "logs" / "run.log"))
    printed.unlink()
    assert run(practising, place, log="2.log")[1] == 0, "the JVM is the same"
    assert not printed.exists(), "it has practised already"


def test_a_run_need_not_wait_until_the_practice_is_over(place, practising, emulator):
    printed = place / "logs" / PRACTICE_LOG
    until(lambda: printed.exists() and "published" in printed.read_text(), seconds=240)
    (practice,) = practices()
    assert run(practising, place)[1] == 0
    assert not practice.is_running()
    assert printed.read_text().count(": published after") < 6, "it was in the middle"
    _is_untouched(told(place / "logs" / "run.log"))
    assert lakes(emulator), "the next practice removes them"
    practising.prepare()
    assert until(practices), "the JVM has not practised yet"


@pytest.fixture
def unable(place):
    """One whose JVM is to practise, without an emulator."""
    write_settings(place)
    yield Ahead(place / "settings", place / "logs", place / "scratch", {"PATH": "/usr/bin:/bin"})
    end_all()


def test_a_practice_that_cannot_begin_does_not_matter_to_the_run(place, unable):
    (place / "logs" / PRACTICE_LOG).mkdir()
    assert run(unable, place)[1] == 0


def test_a_practice_that_fails_does_not_matter_to_the_run(place, unable):
    unable.prepare()
    printed = place / "logs" / PRACTICE_LOG
    until(lambda: printed.exists() and "Error" in printed.read_text())
    assert run(unable, place)[1] == 0
