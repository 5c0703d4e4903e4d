"""A home-made ERP, as a plant's own IT writes them: over REST, and as the tables of a database."""
