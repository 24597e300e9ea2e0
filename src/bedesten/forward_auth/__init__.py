"""The gate's decision for other people's services: rules, identity headers, the endpoint that a proxy asks."""
