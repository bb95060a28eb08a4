"""What a study would take, told before it runs."""
