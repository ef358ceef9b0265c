"""Settings: one frozen class per service, each in a module of the service's name."""
