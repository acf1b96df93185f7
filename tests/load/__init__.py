"""Many at once: a real web server and real workers under load, and what they leave behind."""
