"""The engine runs many lanes at once on all devices."""
