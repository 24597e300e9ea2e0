"""OpenAPI 3.1 documents, made from the route tables.

Nothing is written by hand: the table that describes an operation also dispatches it. The functions are pure;
`bedesten.apidocs.openapi_routes` knows the routes and serves the documents.

- `schemas`: wire schemas as JSON Schemas.
- `error_responses`: error codes as schemas, examples and responses.
- `operations`: one route as an operation.
- `descriptions`: texts of the reference in the schemas.
- `document`: a surface as a document.
"""
