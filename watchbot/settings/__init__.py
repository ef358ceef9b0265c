"""Settings: a frozen class for each service, in a module of the service's name."""
