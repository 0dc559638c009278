"""Training of the small music model: counts of what follows what in Bach's chorales."""
