"""Secrets by reference: configuration names the secret, and the program reads it where it is stored.

A *reference* is a text: the value itself, `env:NAME`, `file:/path`, or the address of a secret manager (`azure-kv://…`,
`aws-sm://…`, `vault://…`, `gcp-sm://…`). A *source* reads and caches the secret of a reference, and reads it again after
the peer refused it, so a rotation needs no restart.
"""

from bedesten_client.secrets._cached import SecretSource, source
from bedesten_client.secrets._errors import BadReference, SecretError, SecretUnavailable

__all__ = ["BadReference", "SecretError", "SecretSource", "SecretUnavailable", "source"]
