"""Hadoop's settings on the laptop's class path: those of Spark's own jar, without their descriptions."""

import zipfile
from xml.etree import ElementTree

from local.spark.class_path import class_path, spark_home


def settings(archive, name):
    """Every setting as it is written, final ones marked."""
    return [
        [(part.tag, part.text) for part in setting if part.tag != "description"]
        for setting in ElementTree.fromstring(archive.read(name)).iter("property")
    ]


def test_every_setting_is_as_hadoop_has_it():
    (hadoop,) = (spark_home() / "jars").glob("hadoop-client-api-*.jar")
    with zipfile.ZipFile(hadoop) as whole, zipfile.ZipFile(class_path()[0][0]) as terse:
        assert sorted(terse.namelist()) == ["core-default.xml", "mapred-default.xml", "yarn-default.xml"]
        for name in terse.namelist():
            assert settings(terse, name) == settings(whole, name)
            assert len(terse.read(name)) < len(whole.read(name)) / 2
