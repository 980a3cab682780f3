"""A run, stored traces or a comparison as one page of HTML that needs nothing but a browser."""
