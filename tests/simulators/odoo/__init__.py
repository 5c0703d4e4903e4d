"""A simulated Odoo: its models, its three protocols, its states, its traps; and failures on command."""
