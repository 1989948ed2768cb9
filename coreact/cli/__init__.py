"""The command line: one module a command group; `main` joins them and turns errors into exit codes."""
