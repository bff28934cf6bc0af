"""What one lane does, as pure functions of values without a batch axis."""
