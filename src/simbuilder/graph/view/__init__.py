"""One page that draws a tenant: to be opened in a browser, with no server behind it."""
