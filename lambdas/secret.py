"""Gateway to Secrets Manager: the connection details of a database."""

import json
from typing import Any

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from lambdas.errors import SecretError


class ConnectionDetails(BaseModel):
    """Connection details as the secret holds them; the field names are those that Amazon RDS writes.

    Attributes
    ----------
    host
        Host name, address or directory of a unix socket.
    ca_certificate
        PEM text of the certificate authority to trust, when it is not one that the system trusts.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True)

    host: str = Field(min_length=1)
    port: int = Field(default=5432, ge=1, le=65535)
    dbname: str = Field(min_length=1)
    username: str = Field(min_length=1)
    password: SecretStr = SecretStr("")
    ca_certificate: str | None = None


def read_connection_details(client: Any, secret_id: str) -> ConnectionDetails:
    """Read the secret `secret_id`.

    Parameters
    ----------
    client
        A boto3 Secrets Manager client.
    secret_id
        ARN or name; it appears in messages, its content never does.

    Raises
    ------
    SecretError
        When it cannot be read, is not a JSON object, or a field is missing or malformed.
    """
    what_to_do = "Store a JSON object with host, port, dbname, username and password in it."
    try:
        text = client.get_secret_value(SecretId=secret_id).get("SecretString") or ""
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise SecretError(f"Secret {secret_id} cannot be read ({code}). {what_to_do}") from None
    try:
        return ConnectionDetails.model_validate(json.loads(text))
    except json.JSONDecodeError:
        raise SecretError(f"Secret {secret_id} is not JSON. {what_to_do}") from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in error.errors())
        raise SecretError(f"Secret {secret_id} is malformed: {problems}. {what_to_do}") from None
