"""The page in a real browser, against the real app with the artifact that ships."""
