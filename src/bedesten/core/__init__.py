"""The ground floor: clock, ids, money, secrets that never print, strict JSON. Standard library only, no state."""
