"""The built-in web pages: which model and which feature drifted, and since when."""

from driftline.serving import WebServer
from driftline.web.access import WEB_METRICS
from driftline.web.acting import Acting
from driftline.web.app import create_app

__all__ = ["WEB_METRICS", "Acting", "WebServer", "create_app"]
