"""The Supplier surface: trusted suppliers of the goods, with an API key. It lies under `/Supplier/`."""
