"""The gate: who is calling, and may they. The heart of the house, and pure: values in, values or a refusal out.

Nouns
    *Credential*: what a request presents, a bearer token (Reseller, Storefront) or an API key (Payment, Supplier).
    *Principal*: who it proved to be: one owner, on one surface, of one tenant.
    *Scope*: a right that a token carries. What counts is its snapshot **and** what its account has today.
    *Grant*: a right that an API key, or the tenant behind it, has.
    *Access*: what a route demands: a scope, a grant, or expressly nothing. A route cannot be written without it.

What it guarantees
    - One spelling. Each credential, host, header and claim has one form that is accepted; what a second reader could
      read otherwise is refused, as malformed input and not as a guess.
    - One tenant. A signing key exists for one surface of one tenant in one generation, and the digest of an API key
      for one tenant: what belongs to another one is not compared and rejected, it is unknown.
    - One surface. A surface looks at its own kind of credential and ignores the other; nothing falls back.
    - One answer. Causes are told apart in the log only. A refusal never holds any of what was presented.
    - Cheap refusals. The MAC is compared before claims are parsed, sizes before anything; memory is bounded everywhere.
    - No secret at rest. Signing keys are derived, API keys stored as keyed digests, passwords as peppered argon2id.

Reading order
    `scopes` and `principal` (the words) → `hosts` (which tenant) → `bearer` and `apikeys` (from header to credential) →
    `keyring` (where every key comes from) → `auth_cache` (what this process knows) → `decide` (the order of the checks,
    top to bottom) → `passwords` (how a login proves itself) → `throttle` (who has been refused too often).

What does not belong here
    HTTP libraries, SQL, sockets and clocks: time is passed in, in milliseconds since the epoch. How a decision becomes
    an answer is `bedesten.http`; how the directory learns of changes, and how "instant" is kept, is the revision
    check. The one file that is touched is the keyring's own. Nothing here knows an order, a price or a balance.
"""
