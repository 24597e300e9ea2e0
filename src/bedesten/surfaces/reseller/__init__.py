"""The Reseller surface, at the root path: for partners' back ends, with bearer tokens from *Generate Token*."""
