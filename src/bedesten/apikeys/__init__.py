"""API keys: creation, import, use, rotation, expiry and revocation.

Nouns. An *API key* belongs to an owner (a supplier or an integration), has one surface, and may be limited to grants
and networks. Its *secrets* are the texts that callers present: the *current* one and, for a grace period after a
rotation, the *previous* one. A *hint* is the part of a secret that may be shown. An *import run* stores many keys: those of
another system by their SHA-256, or new ones that a file describes.

States. A key is valid, expired or revoked. A secret is live, in its grace period or ended; the row of an ended secret
is deleted, either at once or long after its expiry. An import run is pending, finished or abandoned.

Invariants. The store holds keyed digests only; a key is shown once, when it is created or rotated. A key has at most
two secrets. Every change locks the key's row first, so a revocation covers every secret that the key has at that
moment. Every change of a secret advances the revision. The keys of a run become valid all together or not at all, and a key
that was imported once is never imported again. A tenant has at most one import run under way.

Not here: tables (`accounts.tables`), the decision about a request and the peppers (`gate`), commands and files of the
operator (`admin`).
"""
