"""Where concrete parts meet: settings, the building of the parts, the processes that serve and their supervisor."""
