"""Metrics, process metrics and the request log."""
