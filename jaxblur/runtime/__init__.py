"""What a program needs that knows nothing of blur: devices, threads, memory, kept programs, provenance."""
