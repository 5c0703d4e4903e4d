"""The ERPNext connector against the simulated site: what only this ERP has."""
