"""Duration, success, volume, CPU and memory of runs, and business figures."""
