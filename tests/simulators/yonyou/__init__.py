"""U9 cloud as its OpenAPI shows it: tokens of one application, rows that succeed or fail one by one."""
