"""Accounts: who can hold a credential, and the credentials they hold.

Four kinds: a *partner* (reseller account) and a *customer* log in with e-mail and password and get bearer tokens; a
*supplier* and an *integration* (a payment service) own API keys. Every account belongs to one tenant.

Invariants: a password is stored as an argon2id hash, an API key as a keyed digest under a unique index; neither can be
shown again. A key has at most two live secrets. Whatever gives or takes a right advances the revision.
"""
