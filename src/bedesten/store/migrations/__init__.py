"""Alembic's environment and the migrations, in order. Run by `store.migrate`, never by hand."""
