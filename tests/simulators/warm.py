"""Loaded once into the process from which machine processes are forked.

Building OPC UA's standard address space takes a second of CPU; done here it is paid once, and every forked
server has it at once and shares its memory (`gc.freeze` keeps the collector from touching the pages).
"""

from __future__ import annotations

import asyncio
import gc
import logging

import pymodbus.server
import pymodbus.simulator
from asyncua.server.server import Server


async def _opcua() -> Server:
    server = Server()
    await server.init()
    return server


gc.disable()
logging.getLogger("asyncua").setLevel(logging.ERROR)
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
opcua_server = asyncio.run(_opcua())
MODBUS_SERVER = pymodbus.server.ModbusTcpServer
gc.freeze()
gc.enable()
