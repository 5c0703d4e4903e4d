"""A demo factory: physics in one process, a real protocol server for every machine in a process of its own."""
