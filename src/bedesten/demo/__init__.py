"""The demo: a throw-away installation, a real server, and the orders of a partner and of a customer through it over HTTP.

Nouns: the *cast* is everybody who takes part, with the credentials that each was given when the installation was made;
the *client* is the one way in which anybody of the cast reaches the server; the *receiver* is the partner's own web
server, to which webhooks are sent; the *operator* changes rights from outside of the server, as the program's other
commands do; a *step* is something that one of them does, what was asked and answered, and what had to come of it.

Every step checks what it shows. The first thing that is not as promised ends the demo, with the step's name and exit
code 1. Nothing here reaches into the server: all that is known of it came over HTTP, but for what an operator does.

The installation lies in a temporary directory, with fresh secrets and a log of its own, and is removed at the end. The
server listens on loopback only, in processes that die with the demo, whatever ends it.

What does not belong here: anything that the product needs. Nothing imports this package but the command `bedesten demo`.
"""
