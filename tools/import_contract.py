"""An import-linter contract that denies by default: a layer imports what it names, nothing else."""

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class AllowedImportsContract(Contract):
    """`package` may import itself, the standard library and what `may_import` lists (top-level names)."""

    package = fields.StringField()
    may_import = fields.SetField(subfield=fields.StringField(), required=False, default=set())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Finds each import, direct from any module of the package, that the contract does not list."""
        allowed = sys.stdlib_module_names | {str(self.package)} | set(self.may_import)  # type: ignore[call-overload]
        denied = [
            (module, imported)
            for module in sorted({str(self.package)} | graph.find_descendants(str(self.package)))
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if imported.partition(".")[0] not in allowed
        ]
        return ContractCheck(kept=not denied, metadata={"denied": denied})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Prints one line an import."""
        for module, imported in check.metadata["denied"]:
            output.print_error(f"{module} may not import {imported}")
        output.new_line()
