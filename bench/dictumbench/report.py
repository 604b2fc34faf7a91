"""Prints tables and keeps them with their figures, so that a run can be read later."""
import json
import pathlib


class Report:
    """Collects rows; each may carry what it must be and whether it is."""

    def __init__(self) -> None:
        self.sections: list[dict] = []

    def section(self, title: str, *columns: str) -> None:
        self.sections.append({"title": title, "columns": columns, "rows": []})
        print(f"\n{title}", flush=True)
        print(_line(columns, len(columns)), flush=True)

    def row(self, *cells: str, must: str = "", met: bool | None = None) -> None:
        verdict = "" if met is None else f"{'met' if met else 'MISSED'}: {must}"
        cells = (*cells, verdict)
        self.sections[-1]["rows"].append({"cells": cells, "met": met})
        print(_line(cells, len(self.sections[-1]["columns"])), flush=True)

    @property
    def missed(self) -> list[str]:
        return [f"{s['title']}: {r['cells'][0]}" for s in self.sections for r in s["rows"] if r["met"] is False]

    def save(self, path: pathlib.Path, **facts) -> None:
        path.write_text(json.dumps({**facts, "sections": self.sections}, indent=1, default=lambda number: number.item()), encoding="utf-8")


def _line(cells, columns: int) -> str:
    first, *rest = cells
    width = max(5, columns - 1)
    return f"  {first:<34}" + "".join(f"{c:>15}" for c in rest[:width]) + "".join(f"  {c}" for c in rest[width:])
