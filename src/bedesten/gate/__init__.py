"""The gate decides who is calling and what they may do. It is pure: values go in, a value or a refusal comes out.

Nouns
    *Credential*: what a request presents, a bearer token (Reseller, Storefront) or an API key (Payment, Supplier).
    *Principal*: the owner that a credential proved, on one surface of one tenant.
    *Scope*: a right that a bearer token carries. Its snapshot **and** the account's present scopes must both allow a call.
    *Grant*: a right of an API key, or of the tenant behind it.
    *Access*: what a route demands: a scope, a grant, any token of the surface, or nothing. A route must state it.

What it guarantees
    - One spelling. Each credential, host, header and claim has exactly one accepted form. Input that two programs could
      read differently is malformed; the gate never guesses.
    - One tenant. A signing key exists for one surface of one tenant in one generation, and the digest of an API key for
      one tenant. So another tenant's credential is unknown here: no comparison of tenants has to reject it.
    - One surface. A surface looks at its own kind of credential and ignores the other. Nothing falls back.
    - One answer. Only the log tells causes apart. A refusal never contains any part of a credential.
    - Cheap refusals. Sizes are checked first, and the MAC before claims are parsed. Every cache is bounded.
    - No stored secret. Signing keys are derived, API keys stored as keyed digests, passwords as peppered argon2id.

Reading order
    `scopes` and `principal` (the words) → `hosts` (which tenant) → `bearer` and `api_keys` (from header to credential) →
    `keyring` and `derivation` (where every key comes from) → `auth_cache` and `token_cache` (what this process knows) →
    `access` (what routes demand) → `decide` (the order of the checks) → `decision_table` (what need not be decided again) →
    `passwords` and `weak_passwords` (which passwords are accepted, and how they are checked).

What does not belong here
    HTTP libraries, SQL, files, sockets, processes and clocks: an import contract holds this. Time is an argument, in
    milliseconds since the epoch; package data (`data/`) is the only thing read. `bedesten.http` turns a decision into an
    answer and keeps the auth cache as current as the store. Nothing here knows an order, a price or a balance.
"""
