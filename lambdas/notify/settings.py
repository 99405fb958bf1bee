"""The notify function's environment, read once into a validated model."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class NotifySettings(BaseSettings):
    """Settings of the messages.

    Attributes
    ----------
    deployment
        First part of every physical name, as ``totesys-prod``.
    processed_bucket
        Name of the bucket that remembers what was told.
    topic_arn
        Where people subscribe.
    runbooks
        Where the runbooks are: a path or URL that ends before the file's name.
    aws_region
        Region of this deployment, for links; Lambda sets it.
    """

    model_config = SettingsConfigDict(frozen=True)

    deployment: str
    processed_bucket: str
    topic_arn: str
    runbooks: str
    aws_region: str
