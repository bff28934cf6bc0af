"""One lane, which is one training run in the engine: pure functions of values without a batch axis."""
