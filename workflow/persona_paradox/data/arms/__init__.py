"""Rules by which an arm of a task changes its items: one module each, with its schema beside it."""
