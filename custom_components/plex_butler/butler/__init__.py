"""One server: asked, heard and commanded."""
