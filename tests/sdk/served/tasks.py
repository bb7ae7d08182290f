"""The model as a task of Celery. As a program: asks for so many of them."""

import os
import sys
from pathlib import Path

import served
from celery import Celery

queue = Path(os.environ["SERVED_QUEUE"])
queue.mkdir(exist_ok=True)
app = Celery("tasks", broker="filesystem://")
app.conf.broker_transport_options = {
    name: str(queue) for name in ("data_folder_in", "data_folder_out", "control_folder")
}
app.conf.worker_hijack_root_logger = False


@app.task
def predict(number):
    """Log a prediction."""
    served.predict(number)


if __name__ == "__main__":
    for place in range(int(sys.argv[1])):
        predict.delay(place)
