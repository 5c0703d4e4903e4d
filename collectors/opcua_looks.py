"""What a person asks of a server besides collecting: a look at it, its nodes, a certificate of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from collectors.opcua_browse import Wanted, document
from collectors.opcua_config import OpcUaConfig
from collectors.opcua_probe import probed
from collectors.opcua_security import make_certificate
from collectors.opcua_session import ServerBlock, looked, ours
from collectors.opcua_tree import shown
from hub.ports import Clock


class Looks:
    """The half of an OPC UA collector that leaves no trace."""

    _config: OpcUaConfig
    _clock: Clock
    _name: str

    async def probe(self) -> Mapping[str, str]:
        """What a look at the server finds; changes nothing. Raises SourceUnavailable or SourceRefused."""
        config, now = self._config, self._clock.now
        found = await looked(
            config, self._clock, self._name, lambda line: probed(line, config.nodes, config.alarms, now)
        )
        until, complaints = ours(config, self._clock.now())
        if until:
            told = f"✗ {'; '.join(complaints)}" if complaints else "ours is good for more than 30 days"
            found["certificate"] = told
        return found

    @staticmethod
    async def browse(
        given: Mapping[str, Any], clock: Clock, only: Sequence[str], leave_out: Sequence[str], line: str,
        limits: bool, paths: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """What the server of a `with:` block without nodes offers, as a whole configuration file.

        Patterns after the shell's on `Object/Variable`; `line` is where the machines go; `limits`: rules on
        the ranges, too; `paths`: nodes by names. Raises SourceUnavailable, SourceRefused and ValidationError.
        """
        server = ServerBlock.model_validate(given)
        top = await looked(server, clock, "browse", shown)
        return document(top, Wanted(tuple(only), tuple(leave_out), line, limits, paths), given)

    @staticmethod
    def make_certificate(folder: Path, name: str, clock: Clock) -> tuple[Path, Path, str]:
        """(certificate, key, thumbprint) made in `folder`; raises ConfigError rather than replace one."""
        return make_certificate(folder, name, clock.now())
