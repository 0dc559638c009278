"""The first stage of the Music pipeline: speech becomes words, words become a mood."""
