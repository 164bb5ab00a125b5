"""What a study asks, and its plan: the trials that answer it, each with what identifies it."""
