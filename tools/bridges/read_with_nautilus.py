"""What NautilusTrader itself reads of a catalog, as JSON. Run by the Python of its environment."""

import json
import sys

from nautilus_trader.model.data import Bar
from nautilus_trader.persistence.catalog import ParquetDataCatalog


def main() -> None:
    catalog = ParquetDataCatalog(sys.argv[1])
    rows: dict[str, list[list[object]]] = {}
    for bar in catalog.query(Bar):
        values = (bar.open, bar.high, bar.low, bar.close, bar.volume)
        rows.setdefault(str(bar.bar_type), []).append([bar.ts_event, *map(str, values)])
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
