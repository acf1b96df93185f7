"""Django's database backend for the meta database on the embedded server."""
