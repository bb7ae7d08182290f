"""Asks the service of BentoML's example, in this process. Runs in an environment that has BentoML."""

import bentoml_service

assert len(bentoml_service.Delays().predict([[733.0, 18, 12.5], [100.0, 6, 1.0]])) == 2
