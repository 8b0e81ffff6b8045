"""What the canaries of all servers have in common."""

NAME = "simbuilder-canary-"
"""What streams, containers and queues of canaries are called, before the token."""
TIMEOUT_S = 5
STUMBLES = (ValueError, AttributeError, TypeError, LookupError)
"""How the clients of NATS and Azurite fail where something answers that is neither."""
