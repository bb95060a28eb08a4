"""Questions of multiple choice: every item brings its own options."""
