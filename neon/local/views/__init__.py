"""The plane's views, by subject: parse, call the engine, serialise. All rules are in ``engine``."""
