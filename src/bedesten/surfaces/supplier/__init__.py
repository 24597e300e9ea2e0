"""The Supplier surface, under `/Supplier/`: for trusted suppliers of the goods, with API keys."""
