"""The shared platform is destroyed when every test of it has run."""


def test_destroy_leaves_nothing(platform):
    platform.run("destroy")
    assert not platform.home.exists() and platform.processes("") == []
