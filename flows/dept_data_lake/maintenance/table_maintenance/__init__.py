"""Small files joined, old versions removed, released ones kept."""
