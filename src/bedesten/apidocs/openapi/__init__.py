"""OpenAPI 3.1 documents, made from the route tables and their schemas.

Everything here is made from the route tables and their shapes, nothing is written beside them: an operation is described
by what dispatches it. Pure functions over routes; which routes there are, and how the documents are served, is said in
`bedesten.apidocs.openapi_routes`.

- `schemas`: shapes as JSON Schemas, in the wire's spelling.
- `failures`: the catalogue's rows as schemas, examples and responses.
- `operations`: one route as an operation.
- `document`: a surface as a document.
"""
