"""Changes what MLflow holds, by its own client.

Run: python change.py alias MODEL ALIAS VERSION | metric RUN NAME VALUE | delete MODEL VERSION RUN
     | webhook URL SECRET
"""

from __future__ import annotations

import sys

from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookEvent


def main() -> None:
    """Change one thing."""
    what, *names = sys.argv[1:]
    client = MlflowClient()
    if what == "alias":
        model, alias, version = names
        client.set_registered_model_alias(model, alias, version)
    elif what == "metric":
        run, name, value = names
        client.log_metric(run, name, float(value))
    elif what == "delete":
        model, version, run = names
        client.delete_model_version(model, version)
        client.delete_run(run)
    else:
        url, secret = names
        events = [WebhookEvent.from_str("model_version_alias.created")]
        client.create_webhook(name="driftline", url=url, events=events, secret=secret)


if __name__ == "__main__":
    main()
