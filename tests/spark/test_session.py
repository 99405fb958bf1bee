"""The session of the laptop."""

from pathlib import Path

from local.spark.jvm import class_archive


def test_the_jvm_takes_its_classes_from_the_archive(spark):
    """The JVM goes on without an archive that is not of its class path; then every job starts later."""
    process = spark._jvm.java.lang.ProcessHandle.current().pid()
    assert str(class_archive()) in Path(f"/proc/{process}/maps").read_text()
