"""The Payment surface, under `/Payment/`: for trusted payment services and back offices, with API keys."""
