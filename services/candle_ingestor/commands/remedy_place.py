"""What the commands of remedies say of the store that is looked at."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from candle_ingestor.commands.demo_settings import SETTINGS
from candle_ingestor.completeness.export_roots import export_roots
from candle_ingestor.completeness.remedies import Place
from candle_ingestor.config import Config
from candle_ingestor.config.origins import Origin
from candle_ingestor.flags import FLAGS
from candle_ingestor.ledger.ledger import Ledger

DEMO_AGAIN = "candle-ingestor demo"
_NAMES_STORE = (
    *("store", "sqlite_path", "influxdb_url", "influxdb_org", "influxdb_bucket"),
    *("influxdb_ca_file", "service_identifier"),
)


def remedy_place(config: Config, ledger: Ledger) -> Place:
    """The flags that name the store again, as far as flags or a file gave them, and its exports.

    What the environment says, it says of the next command too. Where all that was ever exported
    stands in one folder that is not the default, the commands export there. The store of the demo
    is filled by the demo alone.
    """
    if config.store.sqlite_path.resolve() == Path(SETTINGS["sqlite_path"]).resolve():
        return Place(only_command=DEMO_AGAIN)
    flags = [
        f"--{name}={quote(str(config.raw[name]))}"
        for name in _NAMES_STORE
        if config.origins.get(name) in (Origin.FLAG, Origin.FILE)
    ]
    roots = export_roots(ledger.records.values())
    if len(roots) == 1 and roots[0] != str(Path(str(FLAGS["data_root"].default)).resolve()):
        flags.append(f"--data_root={quote(roots[0])}")
    return Place(tuple(flags))
