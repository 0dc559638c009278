"""What the Music pipeline's services share: errors, log, settings, volume, the line for work, the HTTP frame."""
