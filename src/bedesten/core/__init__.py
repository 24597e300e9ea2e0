"""Shared by all packages: clock, ids, money, secrets that never print, strict JSON, kinds of text. Does no I/O."""
