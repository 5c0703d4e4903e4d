"""Plays recordings of real machines through real protocol servers.

`describe(folder)` reads what was recorded and guesses what each signal means; `to_config` writes a complete
configuration for it; `python -m tests.simulators.replay FOLDER --as opcua` serves and plays it.
"""

from tests.simulators.replay.config import to_config, wiring
from tests.simulators.replay.folder import describe
from tests.simulators.replay.recording import Change, MachineRecording, Recording, Signal

__all__ = ["Change", "MachineRecording", "Recording", "Signal", "describe", "to_config", "wiring"]
