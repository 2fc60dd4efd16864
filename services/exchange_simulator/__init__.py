"""Local HTTP exchanges that speak their own wire formats, with faults on request."""

from exchange_simulator.clock import SimulatorClock
from exchange_simulator.config import SimulatorConfig
from exchange_simulator.dialects import CCXT_DIALECTS, DIALECTS
from exchange_simulator.exchange import TrueCandle
from exchange_simulator.faults import FAULT_KINDS, Fault
from exchange_simulator.recordings import RecordingError
from exchange_simulator.simulator import ExchangeSimulator, running_simulator

__all__ = [
    "CCXT_DIALECTS",
    "DIALECTS",
    "FAULT_KINDS",
    "ExchangeSimulator",
    "Fault",
    "RecordingError",
    "SimulatorClock",
    "SimulatorConfig",
    "TrueCandle",
    "running_simulator",
]
