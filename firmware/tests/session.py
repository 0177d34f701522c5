#!/usr/bin/env python3
"""Plays the hub to `host` in virtual time, through a scripted session: HELLO, its answer, readings, acknowledgements,
what is lost and sent again, requests, overflow, silence, resets that keep memory and resets that do not.

    session.py PATH/host [window frame ring requests kept floats]

The numbers say how that host was built. It uses nothing of the library, so both must agree with the specification."""
import struct
import subprocess
import sys

HELLO, EVT, ACK, MSG, REP, PING, _, AGAIN = range(8)
WINDOW, FRAME, RING, REQUESTS, KEPT, FLOATS = [int(a) for a in sys.argv[2:8]] or [1, 60, 48, 1, 1, 1]


def crc16(crc, data):
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


TO_DEVICE, TO_HUB = 0x9D71, 0x00FF  # what the CRC is combined with at last


def stuff(data):
    out = bytearray()
    for part in data.split(b"\0"):
        assert len(part) < 254
        out += bytes([len(part) + 1]) + part
    return bytes(out)


def unstuff(data):
    parts, i = [], 0
    while i < len(data):
        code = data[i]
        assert code and i + code <= len(data), "no COBS: " + data.hex()
        parts.append(data[i + 1:i + code])
        i += code
    return b"\0".join(parts)


class Double(float):
    """A float that takes 64 bits."""


class Half(float):
    """A float that takes 16 bits."""


def put(kind, n):
    if n < 24:
        return bytes([kind << 5 | n])
    size = next(s for s in (1, 2, 4, 8) if n < 1 << 8 * s)
    return bytes([kind << 5 | {1: 24, 2: 25, 4: 26, 8: 27}[size]]) + n.to_bytes(size, "big")


def pack(*items):
    out = b""
    for item in items:
        if item is None:
            out += b"\xf6"
        elif isinstance(item, bool):
            out += b"\xf5" if item else b"\xf4"
        elif isinstance(item, int):
            out += put(0, item) if item >= 0 else put(1, -1 - item)
        elif isinstance(item, bytes):
            out += put(2, len(item)) + item
        elif isinstance(item, str):
            out += put(3, len(item.encode())) + item.encode()
        elif isinstance(item, list):
            out += put(4, len(item)) + pack(*item)
        elif isinstance(item, dict):
            out += put(5, len(item)) + b"".join(pack(k, v) for k, v in item.items())
        elif isinstance(item, Double):
            out += b"\xfb" + struct.pack(">d", item)
        elif isinstance(item, Half):
            out += b"\xf9" + struct.pack(">e", item)
        elif isinstance(item, float):
            out += b"\xfa" + struct.pack(">f", item)
    return out


def unpack(data):
    items, i = [], 0

    def one():
        nonlocal i
        kind, n = data[i] >> 5, data[i] & 31
        i += 1
        if n >= 24:
            size = {24: 1, 25: 2, 26: 4, 27: 8}[n]
            raw, i = data[i:i + size], i + size
            if kind == 7:
                return struct.unpack({2: ">e", 4: ">f", 8: ">d"}[size], raw)[0]
            n = int.from_bytes(raw, "big")
        if kind in (0, 1):
            return n if kind == 0 else -1 - n
        if kind in (2, 3):
            raw, i = data[i:i + n], i + n
            assert len(raw) == n
            return raw if kind == 2 else raw.decode()
        if kind == 4:
            return [one() for _ in range(n)]
        if kind == 5:
            return {one(): one() for _ in range(n)}
        return {20: False, 21: True, 22: None}[n]

    while i < len(data):
        items.append(one())
    return items


class Device:
    """A host process, and the time."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.now, self.rest, self.executed = 0, b"", 0
        self.session = None

    def command(self, data, size):
        self.process.stdin.write(data)
        self.process.stdin.flush()
        answer = self.process.stdout.read(size)
        assert len(answer) == size, "host ended"
        return answer

    def begin(self, kept, boot, now=None):
        self.rest = b""
        self.now = self.now if now is None else now
        assert self.command(b"B" + struct.pack(">BII", kept, boot, self.now), 1)[0]

    def poll(self, room=65535):
        """Polls once; returns (kind, number, payload) of the frames that are complete."""
        self.connected, self.waiting, self.executed, size = struct.unpack(
            ">BHHH", self.command(b"P" + struct.pack(">IH", self.now, room), 7))
        self.written = self.process.stdout.read(size) if size else b""
        *whole, self.rest = (self.rest + self.written).split(b"\0")
        frames = []
        for raw in whole:
            if not raw:
                continue
            assert len(raw) + 1 <= FRAME
            frame = unstuff(raw)
            assert crc16(0xFFFF if frame[0] < 32 else self.session, frame) == crc16(0, TO_HUB.to_bytes(2, "big")), "CRC of " + frame.hex()
            frames.append((frame[0] >> 5, frame[0] & 31, unpack(frame[1:-2])))
        return frames

    def run(self, ms, step=1):
        """Lets time go by; returns [(when, kind, number, payload)]."""
        out, end = [], self.now + ms
        while self.now < end:
            self.now += step
            out += [(self.now, *f) for f in self.poll()]
        return out

    def send(self, kind, number, payload=b"", session=None):
        frame = bytes([kind << 5 | number]) + payload
        start = 0xFFFF if kind == HELLO else self.session if session is None else session
        frame += (crc16(start, frame) ^ TO_DEVICE).to_bytes(2, "big")
        self.receive(stuff(frame) + b"\0")

    def receive(self, wire):
        self.executed, = struct.unpack(">H", self.command(b"R" + struct.pack(">H", len(wire)) + wire, 2))

    def report(self, event, value, taken=None):
        return self.command(b"V" + struct.pack(">BiI", event, value, self.now if taken is None else taken), 1)[0]

    def refused(self):
        return struct.unpack(">Bb", self.command(b"S", 2))

    def report_float(self, event, value):
        return self.command(b"F" + struct.pack(">BfI", event, value, self.now), 1)[0]


def equal(what, got, wanted):
    if got != wanted:
        sys.exit(f"session.py, line {sys._getframe(1).f_lineno}: {what}: got {got}, wanted {wanted}")


class Readings:
    """Decodes what EVT frames say: two events in the dictionary, so the lowest 2 bits are the number."""

    def __init__(self):
        self.ticks, self.all = None, []

    def take(self, payload):
        items, got = list(payload), []
        while items:
            x = items.pop(0)
            if x < 0:
                self.ticks = -1 - x
                continue
            assert self.ticks is not None, "no mark before the first reading"
            self.ticks = (self.ticks + (x >> 2)) % 2**32
            got.append((x & 3, self.ticks, items.pop(0)))
        self.all += got
        return got


d = Device(sys.argv[1])
largest, window = FRAME, WINDOW


def welcome(version, session, expects, ticks):
    """Each number of an answer to HELLO has its place; None: the hub knows none of the device's numbers."""
    return struct.pack(">BBHBIBHBBB", version, 0x19, session, 0x1a, ticks, 0x19, largest, window, 0x18,
                       32 if expects is None else expects)


def answer(session, expects, ticks):
    d.session = session
    d.send(HELLO, 0, welcome(1, session, expects, ticks))


def hello(frames, **wanted):
    """Checks that one HELLO is among the frames, and returns its ticks."""
    hellos = [f for f in frames if f[-3] == HELLO]
    equal(f"HELLO in line {sys._getframe(1).f_lineno}", len(hellos), 1)
    names = ["protocol", "uid", "name", "firmware", "hash", "boot", "cause", "kept", "ticks", "expects", "receive",
             "largest", "window"]
    items = dict(zip(names, hellos[0][-1]))
    for name, value in {"protocol": 1, "uid": b"\x1f\x0e", "name": "host", "firmware": "1.0", **wanted}.items():
        equal("HELLO: " + name, items.get(name, 0), value)
    equal("HELLO: largest frame", items.get("largest", 60), FRAME)
    equal("HELLO: window", items.get("window", 1), WINDOW)
    return items["ticks"]


# HELLO comes at once, after a zero, and every half second. An answer to an old one, of another version or to another device is
# not accepted.
d.begin(0, 7, now=1000)
ticks = hello(d.poll(), boot=7, kept=0, expects=0)
assert d.written[:2] != b"\0\0" and d.written[0] == 0
equal("no HELLO before its time", d.run(470), [])
again = hello(d.run(40))
answer(0x1234, None, (ticks - 2000) & 0xFFFFFFFF)
d.poll()
equal("answer to a HELLO of long ago", d.connected, 0)
d.send(HELLO, 0, welcome(2, 0x1234, None, again))
d.poll()
equal("answer of another version", d.connected, 0)
for _ in range(20):  # it takes its own HELLO neither for an answer nor for damage
    d.now += 500
    d.poll()
    d.receive(d.written)
    equal("echo of HELLO", (hello(d.run(500)) > 0, d.connected), (True, 0))
again = hello(d.run(500))
answer(0x1234, None, again)
equal("nothing to send", d.poll(), [])
assert d.connected

# A single reading, with its mark. It is sent again until it is acknowledged, at growing intervals.
r = Readings()
d.now += 100
start = d.now
assert d.report(0, -5)
(kind, number, payload), = d.poll()
equal("first frame", (kind, number), (EVT, 0))
got = r.take(payload)
equal("first reading", [(e, v) for e, t, v in got], [(0, -5)])
first_ticks = got[0][1]
frames = d.run(700)
equal("sent again", {(k, n, tuple(p)) for _, k, n, p in frames}, {(EVT, 0, tuple(payload))})
gaps = [b - a for a, b in zip([start] + [f[0] for f in frames], [f[0] for f in frames])]
least = 16 * (2 + WINDOW * FRAME * 625 // 115200) # units of 16 ms, the first of which has begun; with the line's time
assert least - 2 <= gaps[0] <= least + 34 and all(a <= b for a, b in zip(gaps, gaps[1:])) and gaps, gaps
d.send(ACK, 1)  # not sent yet
d.send(ACK, 31)  # sent long ago, if ever
d.send(ACK, 0, session=0x4321)
d.poll()
assert d.waiting
d.send(ACK, 0)
equal("nothing more", d.run(300), [])
equal("waiting", d.waiting, 0)

# Readings in batches keep their order and times. There are marks only where necessary.
taken = []
for i in range(5):
    d.now += 7
    assert d.report(i % 2, 100 * i)
    taken.append((i % 2, first_ticks + d.now - start, 100 * i))
d.now += 1
frames = d.poll()
frames += d.poll()
for i, f in enumerate(frames):
    equal("number", f[:2], (EVT, 1 + i))
    assert all(x >= 0 for x in f[2])
equal("batch", [x for f in frames for x in r.take(f[2])], taken)
d.send(ACK, len(frames))
d.poll()
n = 1 + len(frames)
equal("all is acknowledged", d.waiting, 0)

# A long pause, and a time before the last one: the times stay right.
for pause in (100, 20000, 100000, -50, 3000000000):
    if pause < 0:
        assert d.report(0, 1) and d.report(1, 2, (d.now + pause) % 2**32)
        want = [(0, (first_ticks + d.now - start) % 2**32, 1), (1, (first_ticks + d.now + pause - start) % 2**32, 2)]
    else:
        d.now = (d.now + pause) % 2**32
        assert d.report(0, pause % 1000)
        want = [(0, (first_ticks + d.now - start) % 2**32, pause % 1000)]
    frames = d.poll()
    if not d.connected:  # the hub was silent for too long
        hellos = [f for f in frames + d.run(520) if f[-3] == HELLO]
        answer(0x1234, n % 32, hello(hellos[-1:], expects=0))
        frames = d.poll()
    equal("after a pause", [x for f in frames for x in r.take(f[2])], want)
    for f in frames:
        equal("number after a pause", f[1], n % 32)
        d.send(ACK, n % 32)
        n += 1

# A refusal is counted, once, with its status.
equal("nothing was refused", d.refused(), (0, 0))
for status, count in ((-4, 1), (-2, 2), (0, 2)):
    assert d.report(0, 4)
    (f,) = d.poll()
    r.take(f[2])
    for _ in range(2):
        d.send(REP, n % 32, pack(status, "why") if status else pack(status))
    equal("nothing to send again", d.poll(), [])
    equal("refused", d.refused(), (count, status or -2))
    n += 1

# So is one that is answered before an earlier frame is, and whose answer comes again.
if WINDOW > 1:
    for _ in range(2):
        assert d.report(0, 4)
        (f,) = d.poll()
        r.take(f[2])
    for _ in range(2):
        d.send(REP, (n + 1) % 32, pack(-2))
    equal("refused before an earlier frame is answered", d.refused(), (3, -2))
    d.send(ACK, n % 32)
    n += 2
    equal("nothing to send again", d.poll(), [])
    equal("nothing waits", d.waiting, 0)

# Hearing itself does not answer anything.
assert d.report(0, 5)
(f,) = d.poll()
r.take(f[2])
for _ in range(5):
    d.receive(d.written)
d.send(PING, 9, pack(1))
equal("answers to an echo", d.poll(), [])
assert d.waiting
d.send(ACK, n % 32)
n += 1
equal("acknowledged", d.run(1), [])

# After AGAIN a frame is sent at once. If it is lost again, it is not sent later than otherwise.
assert d.report(0, 6)
(f,) = d.poll()
r.take(f[2])
for _ in range(4):
    d.send(AGAIN, 0)
    equal("again", [f[:2] for f in d.poll()], [(EVT, n % 32)])
equal("sent again soon", d.run(least + 34)[:1][0][1:3], (EVT, n % 32))
d.send(ACK, n % 32)
n += 1
equal("acknowledged", d.run(1), [])

# PING.
d.send(PING, 9)
(kind, number, payload), = d.poll()
equal("PING", (kind, number, payload), (PING, 9, [(first_ticks + d.now - start) % 2**32]))

# HELLO comes after four seconds of silence, at once when asked for, and after the fourth damaged frame. The numbers continue.
d.send(PING, 1)
frames = d.run(3900)
equal("not gone yet", [f for f in frames if f[1] == HELLO], [])
t = hello(d.run(200), expects=0)
equal("gone", d.connected, 0)
answer(0x1222, n % 32, t)
d.poll()
d.send(HELLO, 0)
t = hello(d.poll())
answer(0x1233, n % 32, t)
d.poll()
for i in range(4):
    equal("bad frame", d.poll(), [])
    d.receive(b"boot: ok\r\n\0")
t = hello(d.poll())
answer(0x1244, n % 32, t)
d.poll()

# An answer that comes twice counts once: later readings are not numbered again.
assert d.report(0, 1)
(f,) = d.poll()
r.take(f[2])
d.send(ACK, f[1])
n += 1
answer(0x1244, None, t)
assert d.report(0, 2)
(f,) = d.poll()
equal("number after a doubled answer", f[1], n % 32)
r.take(f[2])
d.send(ACK, f[1])
n += 1

# A session is lost while a frame is in flight. The frame is sent again with its number. If the hub is another one, which the high byte of
# the session shows, or knows none of the numbers, it gets a new number and a mark.
assert d.report(0, 31)
(f,) = d.poll()
want = r.take(f[2])
for session, expects, number in (0x1255, n + 1, n), (0x4401, n + 1, n + 1), (0x1255, n + 1, n + 1), (0x1256, n, n):
    d.send(HELLO, 0)
    answer(session, expects % 32, hello(d.poll()))
    (g,) = d.poll()
    equal("number in the next session", g[:2], (EVT, number % 32))
    r.ticks = None
    equal("the same reading in the next session", r.take(g[2]), want)
d.send(HELLO, 0)
answer(0x1266, None, hello(d.poll()))
(g,) = d.poll()
equal("numbers begin anew", g[:2], (EVT, 0))
r.ticks = None
equal("with the same time", r.take(g[2]), want)
d.send(ACK, 0)
n = 1
d.poll()

# A frame is refused: the next one continues after it.
assert d.report(0, 41)
(f,) = d.poll()
r.take(f[2])
d.send(REP, f[1], pack(-4))
n += 1
assert d.report(0, 42)
(f,) = d.poll()
equal("after a refusal", r.take(f[2])[0][2], 42)
d.send(ACK, f[1])
n += 1
d.poll()

# Overflow: losses are counted, and reported before the next reading of the event.
first, count, lost = 0, 0, 0
while d.report(0, 1000 + count):
    count += 1
lost += 1
for i in range(20):
    lost += not d.report(0, 5000 + i)
assert lost == 21 and count >= 5, (lost, count)
got = []
for _ in range(2000):
    d.now += 1
    frames = d.poll()
    if not frames and not d.waiting:
        break
    for kind, number, payload in frames:
        if kind == EVT:
            equal("number in overflow", number, n % 32)
            n += 1
            got += r.take(payload)
            d.send(ACK, number)
equal("what the ring held", [(e, v) for e, t, v in got], [(0, 1000 + i) for i in range(count)])
assert d.report(1, 77) and d.report(0, 78)
got = []
for _ in range(3):
    for kind, number, payload in d.poll():
        got += r.take(payload)
        d.send(ACK, number)
        n += 1
equal("the loss before the next reading of its event", [(e, v) for e, t, v in got], [(1, 77), (2, lost), (0, 78)])
assert all(a[1] <= b[1] for a, b in zip(got, got[1:]))
equal("no such event", d.report(2, 1), 0)

# Floats.
if FLOATS:
    assert d.report_float(0, 1.5)
    (f,) = d.poll()
    equal("float", r.take(f[2])[0][2], 1.5)
    d.send(ACK, f[1])
    n += 1

# The dictionary, piece by piece.
def ask(number, *items):
    offset = items[:1] == (0,)
    d.send(MSG, number % 32, struct.pack(">BBH", 0, 0x19, items[1]) if offset else pack(*items))
    replies = [f for f in d.poll() if f[0] == REP]
    equal("replies", [f[1] for f in replies], [number % 32])
    return replies[0][2]


text, m = b"", 0
while True:
    status, part = ask(m, 0, len(text))
    equal("status", status, 0)
    m += 1
    if not part:
        break
    text += part
NAMES = b"\5echo\5fail\5executed\5pick" if REQUESTS else b""
DICTIONARY = b"\1host\2counter\3count" + NAMES + b"\1room\2temperature\3Cel\4-2"
equal("dictionary", text, DICTIONARY)
fnv = 2166136261
for byte in DICTIONARY:
    fnv = (fnv ^ byte) * 16777619 % 2**32
equal("behind the dictionary", ask(m, 0, 65000), [0, b""])
m += 1

# Requests: parameters and responses of any kind. Each is executed once, even if it comes again.
if REQUESTS:
    equal("text messages", ask(m, {"method": "x"}), [-1])
    m += 1
    for value in [0, 23, 24, 255, 256, 70000, -1, -300, True, None, "text", b"\0\1", [1, [2, "x"]], {"a": 1}, 0.0, 1.5, Double(0.1)]:
        equal(f"echo {value}", ask(m, 1, value), [0, value])
        m += 1

    # A float out of any number, whatever the unknown keys beside it have.
    def bits(value):
        return int.from_bytes(struct.pack(">f", value), "big")

    for value, wanted in [(0, 0), (7, 7), (-3, -3), (70000, 70000), (1.5, 1.5), (-0.1, -0.1), (Double(0.5), 0.5), (Double(-2.25), -2.25),
                          (Double(1e300), float("inf")), (Double(1e-300), 0), (Half(1.5), 1.5), (Half(-2 ** -24), -2 ** -24),
                          (Half(65504), 65504), (Half(float("-inf")), float("-inf")), (Double(float("inf")), float("inf")),
                          (Double(2.0 ** 100 * 1.25), 2.0 ** 100 * 1.25), (Double(2.0 ** -126), 2.0 ** -126)]:
        equal(f"pick {value}", ask(m, 4, {"x": value}), [0, bits(wanted)])
        m += 1
    for other in [[], {}, "text", [1, [2, {"a": -300}]], {"a": {"b": b"123"}}, True, None, Double(0.1), 2 ** 40, -2 ** 40, Half(1), 1.5]:
        equal(f"pick beside {other}", ask(m, 4, {"a": other, "x": 7, "b": other}), [0, bits(7)])
        m += 1
    equal("pick no number", ask(m, 4, {"x": "7"}), [-2, "not readable"])
    equal("pick nothing", ask(m + 1, 4, 5), [-2, "no map"])
    m += 2
    equal("echo of too much", ask(m, 1, "x" * 40), [-5])
    equal("failure", ask(m + 1, 2), [-2, "as you wish"])
    equal("response nothing", ask(m + 2, 1)[0], -2)
    equal("unknown request", ask(m + 3, 9), [-2, "no such request"])
    equal("a request beyond 255", ask(m + 4, 256 + 3), [-1])
    equal("executed", ask(m + 5, 3), [0, 1])
    before = d.executed
    equal("executed once", ask(m + 5, 3), [0, 1])
    equal("executed once", d.executed, before)
    m += 6
    equal("executed again", ask(m, 3), [0, 2])
    for other in (m + 2, m - 1 - window, m + 31):
        d.send(MSG, other % 32, pack(3)) if other % 32 not in ((m - w) % 32 for w in range(window)) else None
    equal("other numbers are dropped", d.poll(), [])
    equal("and not executed", d.executed, before + 1)
    m += 1
    d.send(HELLO, 0)
    answer(0x1277, n % 32, hello(d.poll(), expects=m % 32))
    equal("repeated in the next session", ask(m - 1, 3), [0, 2])
else:
    equal("fetched again", ask(m - 1, 0, 0), ask(m, 0, 0))

# A reset that keeps memory: readings in flight and waiting, their numbers and the ticks survive.
if KEPT:
    assert d.report(0, 81)
    (f,) = d.poll()
    want = r.take(f[2])
    d.now += 20
    assert d.report(1, 82)
    before = (first_ticks + d.now - start) % 2**32
    d.poll()
    before_reset = d.executed
    d.begin(1, 8)
    kept_ticks = hello(d.poll(), boot=8, kept=1, expects=0)
    d.send(MSG, 0, pack(3))
    d.send(ACK, f[1])
    equal("a session from before the reset", (d.poll(), d.executed), ([], before_reset))
    assert (kept_ticks - before) % 2**32 < 2, (kept_ticks, before)
    assert d.report(0, 83)
    answer(0x1288, f[1], kept_ticks)
    r.ticks, got = None, []
    for _ in range(200):
        d.now += 1
        for kind, number, payload in d.poll():
            equal("number after a warm reset", (kind, number), (EVT, n % 32))
            got += r.take(payload)
            n += 1
            d.send(ACK, number)
    equal("what survived", [(e, v) for e, t, v in got], [(0, 81), (1, 82), (0, 83)])
    equal("when it was", got[0][1:], want[0][1:])
    assert (got[1][1] - before) % 2**32 < 2 and (got[2][1] - kept_ticks) % 2**32 < 2, (got, before, kept_ticks)

# A reset that loses memory, and another one before the hub knows: that must not say that nothing was lost.
assert d.report(0, 91)
d.poll()
d.begin(not KEPT, 9, now=50)  # also ask a build that cannot keep anything
hello(d.poll(), boot=9, kept=0)
equal("nothing survives", d.waiting, 0)
if KEPT:
    assert d.report(0, 92)
    d.begin(1, 10)
    t = hello(d.poll(), boot=10, kept=0)
    answer(0x1299, None, t)
    (f,) = d.poll()
    r.ticks = None
    equal("the reading before it survives", [(e, v) for e, _, v in r.take(f[2])], [(0, 92)])
    d.begin(1, 11)
    hello(d.poll(), boot=11, kept=1)

# A line that takes a byte at a time.
d.begin(0, 12, now=0)
for _ in range(100):
    d.now += 1
    if frames := d.poll(1):
        break
hello(frames, boot=12, hash=fnv)

d.process.stdin.close()
equal("host ends", d.process.wait(10), 0)
print("session: all as specified")
