"""The chaos table: what was tried, how often, and what went wrong."""

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

WRONGS = ("leaks", "collisions", "lost writes", "tracebacks", "foreign", "lies")
"""Left behind; given twice; acknowledged and gone; shown; touched though not ours; not so."""


@dataclass
class Tally:
    """Counts by (runtime, scenario)."""

    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    wrongs: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def fault(self, runtime: str, scenario: str, count: int = 1) -> None:
        self.faults[runtime, scenario] += count

    def wrong(self, runtime: str, scenario: str, kind: str) -> None:
        assert kind in WRONGS
        self.wrongs[runtime, scenario, kind] += 1

    def rows(self) -> list[list[str]]:
        keys = sorted({*self.faults, *((r, s) for r, s, _ in self.wrongs)})
        rows = [
            [runtime, scenario, str(self.faults[runtime, scenario])]
            + [str(self.wrongs[runtime, scenario, kind]) for kind in WRONGS]
            for runtime, scenario in keys
        ]
        totals = [sum(int(row[column]) for row in rows) for column in range(2, 3 + len(WRONGS))]
        return [*rows, ["all", "", *map(str, totals)]]

    def text_rows(self) -> list[list[str]]:
        return [["runtime", "what was done to it", "faults", *WRONGS], *self.rows()]

    def text(self) -> list[str]:
        table = self.text_rows()
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        return [
            "  ".join(
                cell.ljust(width) if column < 2 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in table
        ]

    def add(self, path: Path) -> None:
        """Add what an earlier run has saved."""
        for runtime, scenario, faults, wrongs in json.loads(path.read_text()):
            self.faults[runtime, scenario] += faults
            for kind, count in wrongs.items():
                self.wrongs[runtime, scenario, kind] += count

    def save(self, path: Path) -> None:
        keys = sorted({*self.faults, *((r, s) for r, s, _ in self.wrongs)})
        data = [
            [r, s, self.faults[r, s], {k: self.wrongs[r, s, k] for k in WRONGS}] for r, s in keys
        ]
        path.write_text(json.dumps(data, indent=1))
