"""Oracle Fusion's REST as far as we use it: two query languages, versions, statuses and transactions."""
