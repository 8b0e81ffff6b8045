"""What is written about SimBuilder, and what writes the generated part of it."""
