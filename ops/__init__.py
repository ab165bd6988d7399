"""What people run: the command line, the service under supervisord, the demo and the benchmarks."""
