"""Grafana: brings the dashboards and their data sources there, through its HTTP API."""
