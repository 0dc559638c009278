"""The second stage of the Music pipeline: a mood becomes music, in several candidates."""
