"""The Kingdee connector against the simulated server: what only this ERP has."""
