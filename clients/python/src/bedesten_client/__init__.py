"""The client library of Bedesten."""
