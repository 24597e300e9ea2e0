"""OpenAPI documents and the documentation site, made from the route tables."""
