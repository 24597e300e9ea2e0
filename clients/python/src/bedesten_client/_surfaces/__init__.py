"""The four surfaces: each operation as a function that makes a `Call`. Nothing is sent here."""
