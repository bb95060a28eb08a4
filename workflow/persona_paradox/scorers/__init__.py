"""What is told of a text by itself, whatever it answers: each scorer by a published rule."""
