"""The admin listener: health, metrics, reports of secret scanners, and the forward-auth endpoint."""
