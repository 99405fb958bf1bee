"""In which order a local platform is destroyed."""

from local import platform as module
from local.home import Home


def test_what_writes_is_deleted_before_the_buckets_are_emptied(tmp_path, monkeypatch):
    home, done = Home(tmp_path / "home"), []
    home.create()
    home.write(home.platform_file, {"endpoint": "http://127.0.0.1:1"})

    class Cdk:
        def __init__(self, *_):
            pass

        def destroy(self, which="--all"):
            done.append(which)

    monkeypatch.setattr(module, "Cdk", Cdk)
    monkeypatch.setattr(module.Aws, "is_running", lambda self: True)
    monkeypatch.setattr(module, "_empty_buckets", lambda platform: done.append("buckets"))
    monkeypatch.setattr(module, "down", lambda home: done.append("down"))
    module.destroy(home, lambda said: None)
    assert done == ["totesys-local-pipeline", "buckets", "--all", "down"]
    assert not home.directory.exists()
