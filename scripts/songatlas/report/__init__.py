"""What a run says of itself: its summary in plain words, its last lines on the screen."""
