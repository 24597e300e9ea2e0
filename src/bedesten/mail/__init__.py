"""Mail to customers: which mails wait, how they are written, and how a mail server receives them.

Nouns. A *mail* is a row that says what to send to which address: a link that resets a password, a link that verifies the
address, or the notice that a password was changed. A *mail server* accepts messages by SMTP (RFC 5321).

States. A mail waits until it is sent, refused for good, overdue or dropped (`moves`). It is overdue when the link that
it would carry could have expired.

Invariants. A mail is written in the transaction of the call that asks for it, and the worker decides later whether its
address has an account. So the call does the same work for known and unknown addresses. No row holds content or a token:
the worker creates the link when it writes the message, and each attempt has a fresh one. A mail may arrive twice, with
the same Message-ID, if a worker dies after the server accepted it; the newest link is the valid one. A message contains
nothing that a customer entered, so nobody can use the shop to send a text of their own. Mails to one address are
limited.

Not here: what a link does (`accounts.links`), the tenant's sender and link base (`tenants.mail_settings`), webhooks.
"""
