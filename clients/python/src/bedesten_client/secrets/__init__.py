"""Secrets by reference: a key or password is named where it is configured, and read where it is kept.

A *reference* is one text: the value itself, `env:NAME`, `file:/path`, or the address of a secret manager
(`azure-kv://…`, `aws-sm://…`, `vault://…`, `gcp-sm://…`). A *source* reads what a reference names, remembers it, and
reads it again when the peer has refused it, so that a rotation needs no restart.
"""

from bedesten_client.secrets._cached import SecretSource, source
from bedesten_client.secrets._errors import BadReference, SecretError, SecretUnavailable

__all__ = ["BadReference", "SecretError", "SecretSource", "SecretUnavailable", "source"]
