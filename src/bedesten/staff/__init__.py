"""Staff: people who work with the installation without a shell.

Nouns. A *staff member* has an e-mail address, a name, a password and one or more *roles*, for one tenant or for the whole
installation. A *duty* is one kind of thing that members do, such as answering complaints; `roles` says which role has
which duties. A member who logs in at the admin listener gets a *session*. A *setup code* lets a new member, or one whose
password was reset, choose a password once.

States. A member is enabled or disabled. A session is open while its row exists and neither its end nor its idle time-out
has passed.

Invariants. A password is stored as an argon2id hash, the token of a session and a setup code as keyed digests. Sessions
and roles are read from the store for every request and cached nowhere: what `disable`, `reset` and `roles` take away is
gone on the next request of every node. A member of one tenant reaches no other tenant.

Not here: HTTP and the pages (`console`), what the duties consist of (`admin`), bearer tokens and API keys (`gate`).
"""
