"""The documentation site on every tenant's host.

Pages are Jinja2 templates with autoescape. They depend on the tenant: its name, colour and logo, its surfaces and
operations, its address, and whether it is a sandbox. A page loads nothing from other hosts, and is readable without scripts.
"""
