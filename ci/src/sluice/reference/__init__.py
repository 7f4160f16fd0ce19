"""docs/reference, made from code and data: each module writes one or two pages, `pages` puts them together."""
