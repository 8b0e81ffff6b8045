"""The docker runtime: each session a Docker Compose project on an engine that is anywhere."""
