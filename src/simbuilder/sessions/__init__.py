"""What a session is: records, ports, plans and the manager that carries them out."""
