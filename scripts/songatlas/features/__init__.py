"""Features: one module each. `registry` says what a module declares and who reads it."""
