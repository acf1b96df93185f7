"""The local control plane: Neon's API, spoken over an embedded Postgres."""
