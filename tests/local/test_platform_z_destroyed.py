"""The shared platform is destroyed, deployed again and destroyed for good when every test of it has run."""

from tests.local.test_lifecycle import cdk_option, deployed, operate


def test_destroy_of_a_deployment_that_keeps_nothing_leaves_nothing_and_the_next_one_begins_anew(platform):
    operate(platform, "destroy", "--env", "local", "--yes", "local", *cdk_option())
    assert deployed(platform) == []
    platform.run("up", "--no-schedules")  # a batch is asked for
    refused = platform.run("batch", code=1)  # a new lake: the warehouse belongs to the one before
    assert "belongs to" in refused.err
    platform.run("rebuild", "--take-over")
    platform.execute("update payment set paid = not paid where payment_id = 1")
    assert platform.batch()["tables"]["fact_payment"]["updated"] == 1
    platform.assert_equal()


def test_destroy_leaves_nothing(platform):
    platform.run("destroy")
    assert not platform.home.exists() and platform.processes("") == []
