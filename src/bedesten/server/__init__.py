"""The composition root: settings, the construction of the parts, the processes that serve, and their supervisor."""
