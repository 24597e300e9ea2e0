"""The life of an API key: creation, import, use, rotation and expiry."""
