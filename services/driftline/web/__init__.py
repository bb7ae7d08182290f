"""The built-in web pages: which model and which feature drifted, and since when."""

from driftline.serving import WebServer
from driftline.web.app import create_app

__all__ = ["WebServer", "create_app"]
