"""A simulated ERPNext site: Frappe's REST interface over a small factory's documents."""
