"""The documents of a stored run: Markdown, page, JSON, JUnit, and the file that runs by itself."""
