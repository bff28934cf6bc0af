"""Pages, tables and sites, generated from stored rows."""
