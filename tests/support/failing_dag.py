"""Two DAGs whose tasks fail with secrets and a contact at hand: behind the product's code, and as a control without."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime

from airflow.sdk import DAG, task

CONTACT = "Zebediah Canaryson"
PLANTED = "planted-canary-5678901234"

with DAG("watched", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):

    @task(retries=0)
    def fails() -> None:
        from include.hubspot_sync.errors import ConfigError
        from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook
        from include.hubspot_sync.orchestration.task_errors import reports_errors

        @reports_errors
        def body() -> None:
            contact = {"firstname": CONTACT}
            token = HubSpotHook().get_token()
            logging.getLogger("any").error("%s with %s", contact, token)
            raise ConfigError(f"the portal refuses every record: {token} is wrong; repair it")

        body()

    @task(retries=0)
    def breaks() -> None:
        from include.hubspot_sync.orchestration.hubspot_hook import HubSpotHook
        from include.hubspot_sync.orchestration.task_errors import reports_errors

        @reports_errors
        def body() -> None:
            token = HubSpotHook().get_token()
            raise KeyError(f"Duplicate entry '{CONTACT}' {token}")

        body()

    fails()
    breaks()

with DAG("open", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False):

    @task(retries=0)
    def leaks() -> None:
        contact = {"firstname": CONTACT, "key": PLANTED}
        raise KeyError(contact)

    leaks()


def main() -> None:
    """Run both, the second one without what protects the first."""
    import sentry_sdk
    from airflow.dag_processing.dagbag import DagBag
    from airflow.utils import db

    db.initdb()
    bag = DagBag(dag_folder=os.environ["AIRFLOW__CORE__DAGS_FOLDER"], known_pools={"default_pool"})
    assert not bag.import_errors
    bag.dags["watched"].test()
    sentry_sdk.flush()
    sentry_sdk.get_global_scope()._event_processors.clear()
    bag.dags["open"].test()
    sentry_sdk.flush()


if __name__ == "__main__":
    main()
