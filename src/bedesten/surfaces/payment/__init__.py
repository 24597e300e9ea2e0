"""The Payment surface: trusted payment services and back offices, with an API key. It lies under `/Payment/`."""
