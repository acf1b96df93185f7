"""The control plane over HTTP, driven by clients that nobody here wrote."""
