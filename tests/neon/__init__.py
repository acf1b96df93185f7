"""Tests of the Neon client, its flows and the local control plane."""
