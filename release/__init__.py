"""What is handed out: `make dist` and `make pyz`. Not part of the package."""
