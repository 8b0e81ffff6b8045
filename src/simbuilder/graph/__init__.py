"""The graph of a tenant, as planned, deployed and observed; takes an address, knows no session."""
