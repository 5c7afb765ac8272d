"""quantmesh for Python: the generated contract, one package a domain, each with its version."""
