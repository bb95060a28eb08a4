"""Who is it? The persona is named: by the model itself, or by a judge that reads its answers."""
