"""What every ERP connector promises, tried against each ERP that a test can have."""
