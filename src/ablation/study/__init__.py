"""Studies and their plans: a question, the trials that answer it, and the identity of each."""
