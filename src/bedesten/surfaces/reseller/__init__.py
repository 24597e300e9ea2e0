"""The Reseller surface: partners' back ends, with bearer tokens from *Generate Token*. It lies at the root."""
