"""Formats that a graph of a tenant is read from and written to: values in files, no database."""
