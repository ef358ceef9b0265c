"""One site for whoever is paged: what fails, why, and the buttons that help."""
