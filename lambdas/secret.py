"""Gateway to Secrets Manager: the connection details of a database."""

import json
import ssl
from typing import Any

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from lambdas.errors import NetworkError, SecretError, SecretUnsetError

_WHAT_TO_DO = "Store a JSON object with host, port, dbname, username and password in it."
#: The one field of a secret that nobody has filled since the deployment made it.
UNSET = "unset"


class ConnectionDetails(BaseModel):
    """Connection details as the secret holds them; the field names are those that Amazon RDS writes.

    Attributes
    ----------
    host
        Host name, address or directory of a unix socket.
    ca_certificate
        PEM text of the certificate authorities to trust, when they are not among those that are trusted anyway.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", str_strip_whitespace=True, hide_input_in_errors=True)

    host: str = Field(min_length=1)
    port: int = Field(default=5432, ge=1, le=65535)
    dbname: str = Field(min_length=1)
    username: str = Field(min_length=1)
    password: SecretStr = SecretStr("")
    ca_certificate: str | None = None

    @field_validator("ca_certificate")
    @classmethod
    def _is_pem(cls, value: str | None) -> str | None:
        if value:
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=value)
            except (ssl.SSLError, ValueError):
                raise ValueError("it is no certificate in PEM form, with its lines as they are in the file") from None
        return value


def read_connection_details(client: Any, secret_id: str) -> ConnectionDetails:
    """Read the secret `secret_id`, as it is now (version stage AWSCURRENT).

    Parameters
    ----------
    client
        A boto3 Secrets Manager client.
    secret_id
        ARN or name; it appears in messages, its content never does.

    Raises
    ------
    SecretUnsetError
        When it holds what the deployment made: nobody has filled it.
    NetworkError
        When Secrets Manager is not reached.
    SecretError
        When it cannot be read, is not a JSON object, or a field is missing or malformed.
    """
    try:
        answer = client.get_secret_value(SecretId=secret_id)
    except (ConnectTimeoutError, EndpointConnectionError):
        raise NetworkError(
            f"Secret {secret_id} cannot be read: the function does not reach Secrets Manager. When it runs in a VPC, its "
            f"subnets need a NAT gateway, or secretsmanager in vpc_endpoints, and its security groups must let port 443 out. "
            f"Nothing was committed; the next run goes on."
        ) from None
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        raise SecretError(f"Secret {secret_id} cannot be read ({code}). {_WHAT_TO_DO}") from None
    if "SecretBinary" in answer:
        raise SecretError(f"Secret {secret_id} is binary, not text. {_WHAT_TO_DO}")
    try:
        value = json.loads(answer.get("SecretString") or "")
        if isinstance(value, dict) and value.keys() == {UNSET}:
            raise SecretUnsetError(f"Secret {secret_id} is not filled yet. {_WHAT_TO_DO}")
        return ConnectionDetails.model_validate(value)
    except json.JSONDecodeError:
        raise SecretError(f"Secret {secret_id} is not JSON. {_WHAT_TO_DO}") from None
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'it'}: {e['msg']}" for e in error.errors())
        raise SecretError(f"Secret {secret_id} is malformed: {problems}. {_WHAT_TO_DO}") from None
