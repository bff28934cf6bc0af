"""The project's pages as a site: the answer, a page for each claim and experiment, an explorer of all cells, and the documentation."""
