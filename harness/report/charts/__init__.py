"""Charts as SVG, and pieces of HTML, in which no text is markup."""
