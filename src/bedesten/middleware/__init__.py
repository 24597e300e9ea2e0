"""The gate in somebody's own Python service: ASGI and WSGI middleware, and what FastAPI and Django need of it."""
