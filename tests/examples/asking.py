"""Asks the services of the examples, each in this process. Runs in an environment that has the frameworks."""

import fastapi_service
import flask_service
import litestar_service
from fastapi.testclient import TestClient
from litestar.testing import TestClient as LitestarClient

FLIGHT = {"distance": 733.0, "departure_hour": 18, "wind": 12.5}
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def headers(request_id):
    """Return the headers of a request that a proxy has traced."""
    return {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "x-request-id": request_id}


answers = (
    TestClient(fastapi_service.app).post("/predict", json=[FLIGHT], headers=headers("fastapi")),
    LitestarClient(litestar_service.app).post("/predict", json=[FLIGHT], headers=headers("litestar")),
    flask_service.app.test_client().post("/predict", json=[FLIGHT], headers=headers("flask")),
)
assert [answer.status_code for answer in answers] == [200, 201, 200], [answer.text for answer in answers]
