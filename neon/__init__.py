"""The Neon API: a typed client, the flows built on it, and a local control plane that speaks it."""
