"""A demo factory: physics in one process, a real protocol server for each machine in a process of its own."""
