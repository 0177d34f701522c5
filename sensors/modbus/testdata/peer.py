"""A slave or a master made with pymodbus: peer.py slave|master PATH|HOST:PORT."""
import sys

from pymodbus.client import ModbusSerialClient, ModbusTcpClient
from pymodbus.datastore import (ModbusSequentialDataBlock, ModbusServerContext,
                                ModbusSlaveContext)
from pymodbus.server import StartSerialServer, StartTcpServer
from pymodbus.transaction import ModbusRtuFramer, ModbusSocketFramer

UNIT = 7


def slave(where):
    words = [1000 + i for i in range(64)]
    words[30:32] = [0x4366, 0x8000]  # 230.5 as a float
    inputs = ModbusSequentialDataBlock(0, list(words))
    inputs.setValues(5, [1005])
    store = ModbusSlaveContext(
        di=ModbusSequentialDataBlock(0, [i % 2 == 0 for i in range(64)]),
        co=ModbusSequentialDataBlock(0, [i % 2 == 0 for i in range(64)]),
        hr=ModbusSequentialDataBlock(0, list(words)), ir=inputs, zero_mode=True)
    context = ModbusServerContext(slaves={UNIT: store}, single=False)
    if ":" in where:
        host, port = where.rsplit(":", 1)
        StartTcpServer(context=context, framer=ModbusSocketFramer, address=(host, int(port)))
    else:
        StartSerialServer(context=context, framer=ModbusRtuFramer, port=where, baudrate=19200, timeout=0.05)


def good(answer):
    if answer.isError():
        sys.exit("refused: %s" % answer)
    return answer


def master(where):
    if ":" in where:
        host, port = where.rsplit(":", 1)
        client = ModbusTcpClient(host, port=int(port), timeout=20)
    else:
        client = ModbusSerialClient(where, framer=ModbusRtuFramer, baudrate=19200, timeout=20)
    if not client.connect():
        sys.exit("cannot connect")
    assert good(client.read_holding_registers(2, 3, slave=UNIT)).registers == [1002, 1003, 1004]
    assert good(client.read_input_registers(0, 64, slave=UNIT)).registers == [1000 + i for i in range(64)]
    assert good(client.read_coils(4, 9, slave=UNIT)).bits[:9] == [i % 2 == 0 for i in range(4, 13)]
    assert good(client.read_discrete_inputs(6, 1, slave=UNIT)).bits[0]
    good(client.write_register(3, 4711, slave=UNIT))
    good(client.write_registers(10, [11, 12], slave=UNIT))
    good(client.write_coil(1, True, slave=UNIT))
    good(client.write_coils(4, [False, True], slave=UNIT))
    assert good(client.read_holding_registers(3, 1, slave=UNIT)).registers == [4711]
    refused = client.read_holding_registers(5000, 1, slave=UNIT)
    assert refused.isError() and refused.exception_code == 2, refused
    client.close()
    print("all is right")


{"slave": slave, "master": master}[sys.argv[1]](sys.argv[2])
