"""One call of Airflow's REST API, behind the load balancer or through managed Airflow.

Only the standard library, because that is what a function of AWS has without a layer.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

TIMEOUT_S = 20


class AirflowError(Exception):
    """Airflow did not answer, or refused; AWS repeats the call twice, then keeps the event in the queue."""


class Airflow(Protocol):
    """Where runs can be started."""

    def start_run(self, dag_id: str, body: Mapping[str, Any]) -> int:
        """Return the HTTP status of the answer.

        Raises:
            AirflowError: there was none.
        """
        ...


@dataclass(frozen=True, slots=True)
class AirflowBehindUrl:
    """Airflow's API at an address, with the login of one of its users."""

    url: str
    username: str
    password: str

    def start_run(self, dag_id: str, body: Mapping[str, Any]) -> int:
        """Log in and ask for the run."""
        status, answer = self._post("/auth/token", {"username": self.username, "password": self.password}, {})
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise AirflowError(f"airflow answers {status} to the login: look at secret and user")
        status, _ = self._post(f"/api/v2/dags/{dag_id}/dagRuns", body, {"Authorization": f"Bearer {token}"})
        return status

    def _post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> tuple[int, Mapping[str, Any]]:
        # the address is https://, as Terraform makes it of host_name
        request = urllib.request.Request(  # noqa: S310
            self.url + path, json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
        )
        opener = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                return answer.status, _mapping(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, {}
        except (OSError, http.client.HTTPException) as error:
            # no `from`: an error of the library may hold the request and with it the login
            raise AirflowError(f"no answer from airflow to {path}: {type(error).__name__}") from None


@dataclass(frozen=True, slots=True)
class ManagedAirflow:
    """An environment of managed Airflow; the role of the function is the login."""

    client: Any
    environment: str

    def start_run(self, dag_id: str, body: Mapping[str, Any]) -> int:
        """Ask AWS to ask Airflow.

        https://docs.aws.amazon.com/mwaa/latest/API/API_InvokeRestApi.html
        """
        try:
            answer = self.client.invoke_rest_api(
                Name=self.environment, Method="POST", Path=f"/dags/{dag_id}/dagRuns", Body=dict(body)
            )
        except self.client.exceptions.RestApiClientException as error:
            return int(error.response["RestApiStatusCode"])
        except self.client.exceptions.RestApiServerException as error:
            raise AirflowError(f"airflow answers {error.response.get('RestApiStatusCode')}") from error
        return int(answer["RestApiStatusCode"])


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the login to another address."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


def _mapping(content: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
