package serial

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"sighub/carrier"
)

// protocolVersion is the one that both sides speak. Later versions add items at the end of a HELLO.
const protocolVersion = 1

const maxUID = 12 // bytes; as many as STM32 microcontrollers have

// A hello is what a device says of itself when a session begins: firmware-protocol.md gives the order.
type hello struct {
	uid            []byte
	name, firmware string
	dictionary     uint32 // hash of the dictionary, 0: none
	boot           uint32
	resetCause     uint64
	kept           bool // what was not acknowledged, its numbers and the ticks have survived the reset
	ticks          uint32
	expects        uint8 // number of the hub's next reliable frame
	receiveWindow  int   // bytes on the line that the hub may have outstanding
	maxFrame       int
	window         int // unanswered frames, in each direction
	ticksPerSecond uint32
	fastest        uint32 // rate in bits per second that the device can do, 0: none but the present one
}

// defaultTicks is how many ticks a second has for a device that does not say.
const defaultTicks = 1000

// pack leaves out what stands at the end and is as if missing.
func (h *hello) pack() []byte {
	dst := appendBytes(appendUint(nil, protocolVersion), h.uid)
	end := len(dst)
	text := func(s string) {
		if dst = appendText(dst, s); s != "" {
			end = len(dst)
		}
	}
	number := func(n, missing uint64) {
		if dst = appendUint(dst, n); n != missing {
			end = len(dst)
		}
	}
	text(h.name)
	text(h.firmware)
	number(uint64(h.dictionary), 0)
	number(uint64(h.boot), 0)
	number(h.resetCause, 0)
	if h.kept {
		number(1, 0)
	} else {
		number(0, 0)
	}
	number(uint64(h.ticks), 0)
	number(uint64(h.expects), 0)
	number(uint64(h.receiveWindow), helloFrame)
	number(uint64(h.maxFrame), helloFrame)
	number(uint64(h.window), 1)
	number(uint64(h.ticksPerSecond), defaultTicks)
	number(uint64(h.fastest), 0)
	return dst[:end]
}

// parseHello reads a device's HELLO. What is missing at its end is as a device that knows no better has it, and
// what follows is for later versions.
func parseHello(payload []byte) (hello, error) {
	h := hello{receiveWindow: helloFrame, maxFrame: helloFrame, window: 1, ticksPerSecond: defaultTicks}
	in := items{rest: payload}
	if v := in.uint("the protocol version", math.MaxUint16); in.err == nil && v != protocolVersion {
		return h, fmt.Errorf("serial: the device speaks version %d of the protocol, this hub version %d", v, protocolVersion)
	}
	h.uid = append([]byte(nil), in.bytes("the uid", maxUID)...)
	for _, f := range []func(){
		func() { h.name = in.text("the name", helloFrame) },
		func() { h.firmware = in.text("the firmware's version", helloFrame) },
		func() { h.dictionary = uint32(in.uint("the dictionary's hash", math.MaxUint32)) },
		func() { h.boot = uint32(in.uint("the boot number", math.MaxUint32)) },
		func() { h.resetCause = in.uint("the reset cause", math.MaxUint64) },
		func() { h.kept = in.uint("whether the readings were kept", 1) == 1 },
		func() { h.ticks = uint32(in.uint("the ticks", math.MaxUint32)) },
		func() { h.expects = uint8(in.uint("the number expected", numbers-1)) },
		func() { h.receiveWindow = int(in.uint("the receive window", math.MaxInt32)) },
		func() { h.maxFrame = int(in.uint("the largest frame", math.MaxInt32)) },
		func() { h.window = int(in.uint("the window", math.MaxInt32)) },
		func() { h.ticksPerSecond = uint32(in.uint("the ticks per second", math.MaxUint32)) },
		func() { h.fastest = uint32(in.uint("the fastest rate", math.MaxUint32)) },
	} {
		if in.more() {
			f()
		}
	}
	if in.err != nil {
		return h, in.err
	}
	switch {
	case len(h.uid) == 0 && h.name == "":
		return h, fmt.Errorf("%w: neither a uid nor a name", carrier.ErrMalformed)
	case h.maxFrame < helloFrame:
		return h, fmt.Errorf("%w: the largest frame has %d bytes, less than %d", carrier.ErrMalformed, h.maxFrame, helloFrame)
	case h.window < 1 || h.ticksPerSecond < 1:
		return h, fmt.Errorf("%w: the window and the ticks per second must be at least 1", carrier.ErrMalformed)
	}
	h.maxFrame, h.window = min(h.maxFrame, limitFrame), min(h.window, maxWindow)
	return h, nil
}

// id is the device's lasting identity: its uid, and only if it has none, its name.
func (h *hello) id() string {
	if len(h.uid) == 0 {
		return "name:" + h.name
	}
	return hex.EncodeToString(h.uid)
}

func (h *hello) title() string {
	if h.name == "" {
		return h.id()
	}
	return h.name
}

// A welcome is the hub's answer to a HELLO. Each of its numbers has its own width, whatever it is, and so its place: a
// small device finds what it needs without reading CBOR.
type welcome struct {
	session  uint16
	echo     uint32 // the ticks of the HELLO that is answered
	maxFrame int
	window   int
	known    bool  // the hub goes on with the numbers of this device's boot
	expects  uint8 // if known, the number of the device's next reliable frame
}

// expectsNone stands where the number expected does: the hub knows none of the device's, and they begin at 0.
const expectsNone = numbers

func (w *welcome) pack() []byte {
	dst := appendUint(nil, protocolVersion)
	dst = appendUint16(dst, w.session)
	dst = binary.BigEndian.AppendUint32(append(dst, cborUint32), w.echo)
	dst = appendUint16(dst, uint16(w.maxFrame))
	dst = appendUint(dst, uint64(w.window))
	if w.known {
		return append(dst, cborUint8, w.expects)
	}
	return append(dst, cborUint8, expectsNone)
}

// hub is what the sessions of one hub have in common, and those of different hubs rarely.
func (w *welcome) hub() byte { return byte(w.session >> 8) }

func parseWelcome(payload []byte) (welcome, error) {
	var w welcome
	in := items{rest: payload}
	if v := in.uint("the protocol version", math.MaxUint16); in.err == nil && v != protocolVersion {
		return w, fmt.Errorf("serial: the hub speaks version %d of the protocol, this device version %d", v, protocolVersion)
	}
	w.session = uint16(in.uint("the session", crcStart-1))
	w.echo = uint32(in.uint("the ticks", math.MaxUint32))
	w.maxFrame = int(in.uint("the largest frame", math.MaxUint32))
	w.window = int(in.uint("the window", math.MaxUint32))
	if n := uint8(in.uint("the number expected", expectsNone)); n != expectsNone {
		w.known, w.expects = true, n
	}
	if in.err != nil {
		return w, in.err
	}
	if w.session == 0 || w.maxFrame < helloFrame || w.window < 1 {
		return w, fmt.Errorf("%w: session %d, largest frame %d, window %d", carrier.ErrMalformed, w.session, w.maxFrame, w.window)
	}
	w.maxFrame, w.window = min(w.maxFrame, limitFrame), min(w.window, maxWindow)
	return w, nil
}
