"""Accounts: who can hold a credential, and the credentials they hold.

Nouns. An *account* belongs to one tenant and has one of four kinds. A *partner* (reseller account) and a *customer* log
in with e-mail and password and receive bearer tokens; a *supplier* and an *integration* (a payment service) own API
keys. A *session* covers all tokens that a customer exchanges after one login. A *revoked token* or session stays on a
list until no process can take it for valid. A *login failure* counter delays further attempts.

States. An account is enabled or disabled. Its *token version* increases with every change that ends its tokens; a token
with an older version is refused. A session is open while its row exists.

Invariants. A password is stored as an argon2id hash and an API key as a keyed digest under a unique index, so neither
can be shown again. An API key has at most two valid secrets. Every change that grants or removes a right advances the
revision. Failed logins are counted for existing and unknown accounts alike, by keyed digests.

Not here: the life of an API key (`apikeys`), the decision about a request (`gate`), rate limits of requests
(`ratelimit`), balances (`ledger`). This package's tables include those of API keys, because both share `accounts`.
"""
