"""Rate limits that processes share, and the throttle of addresses that are refused again and again."""
