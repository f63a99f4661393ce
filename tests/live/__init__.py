"""A real Home Assistant process, and what its frontend does with it."""
