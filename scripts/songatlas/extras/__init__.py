"""What no rule of a plain run needs: an estimator, adapters, captions by ear."""
