"""A real Tryton server for the tests: prepared once, cached, copied for each test; a proxy that fails."""
