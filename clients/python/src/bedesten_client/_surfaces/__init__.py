"""The operations of the four surfaces: one function each, which builds a `Call`. No I/O."""
