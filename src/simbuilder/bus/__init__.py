"""Events between agents and services, on NATS JetStream; takes an address, knows no session."""
