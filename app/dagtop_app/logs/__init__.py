"""Every line of a run: kept, searched, shown."""
