package wire

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"sighub/carrier"
)

// protocolVersion is the one that both sides speak. Later versions add items at the end of a HELLO.
const protocolVersion = 1

const MaxUID = 12 // bytes; as many as STM32 microcontrollers have

// A Hello is what a device says of itself when a session begins: firmware-protocol.md gives the order.
type Hello struct {
	UID            []byte
	Name, Firmware string
	Dictionary     uint32 // hash of the dictionary, 0: none
	Boot           uint32
	ResetCause     uint64
	Kept           bool // what was not acknowledged, its numbers and the ticks have survived the reset
	Ticks          uint32
	Expects        uint8 // number of the hub's next reliable frame
	ReceiveWindow  int   // bytes on the line that the hub may have outstanding
	MaxFrame       int
	Window         int // unanswered frames, in each direction
	TicksPerSecond uint32
	FastestBaud    uint32 // rate in bits per second that the device can do, 0: none but the present one
}

// defaultTicks is how many ticks a second has for a device that does not say.
const defaultTicks = 1000

// Pack leaves out what stands at the end and is as if missing.
func (h *Hello) Pack() []byte {
	dst := AppendBytes(AppendUint(nil, protocolVersion), h.UID)
	end := len(dst)
	text := func(s string) {
		if dst = appendText(dst, s); s != "" {
			end = len(dst)
		}
	}
	number := func(n, missing uint64) {
		if dst = AppendUint(dst, n); n != missing {
			end = len(dst)
		}
	}
	text(h.Name)
	text(h.Firmware)
	number(uint64(h.Dictionary), 0)
	number(uint64(h.Boot), 0)
	number(h.ResetCause, 0)
	if h.Kept {
		number(1, 0)
	} else {
		number(0, 0)
	}
	number(uint64(h.Ticks), 0)
	number(uint64(h.Expects), 0)
	number(uint64(h.ReceiveWindow), MinFrame)
	number(uint64(h.MaxFrame), MinFrame)
	number(uint64(h.Window), 1)
	number(uint64(h.TicksPerSecond), defaultTicks)
	number(uint64(h.FastestBaud), 0)
	return dst[:end]
}

// ParseHello reads a device's HELLO. What is missing at its end is as a device that knows no better has it, and
// what follows is for later versions.
func ParseHello(payload []byte) (Hello, error) {
	h := Hello{ReceiveWindow: MinFrame, MaxFrame: MinFrame, Window: 1, TicksPerSecond: defaultTicks}
	in := Items{Rest: payload}
	if v := in.Uint("the protocol version", math.MaxUint16); in.Err == nil && v != protocolVersion {
		return h, fmt.Errorf("serial: the device speaks version %d of the protocol, this hub version %d", v, protocolVersion)
	}
	h.UID = append([]byte(nil), in.bytes("the uid", MaxUID)...)
	for _, f := range []func(){
		func() { h.Name = in.text("the name", MinFrame) },
		func() { h.Firmware = in.text("the firmware's version", MinFrame) },
		func() { h.Dictionary = uint32(in.Uint("the dictionary's hash", math.MaxUint32)) },
		func() { h.Boot = uint32(in.Uint("the boot number", math.MaxUint32)) },
		func() { h.ResetCause = in.Uint("the reset cause", math.MaxUint64) },
		func() { h.Kept = in.Uint("whether the readings were kept", 1) == 1 },
		func() { h.Ticks = uint32(in.Uint("the ticks", math.MaxUint32)) },
		func() { h.Expects = uint8(in.Uint("the number expected", FrameNumbers-1)) },
		func() { h.ReceiveWindow = int(in.Uint("the receive window", math.MaxInt32)) },
		func() { h.MaxFrame = int(in.Uint("the largest frame", math.MaxInt32)) },
		func() { h.Window = int(in.Uint("the window", math.MaxInt32)) },
		func() { h.TicksPerSecond = uint32(in.Uint("the ticks per second", math.MaxUint32)) },
		func() { h.FastestBaud = uint32(in.Uint("the fastest rate", math.MaxUint32)) },
	} {
		if in.more() {
			f()
		}
	}
	if in.Err != nil {
		return h, in.Err
	}
	switch {
	case len(h.UID) == 0 && h.Name == "":
		return h, fmt.Errorf("%w: neither a uid nor a name", carrier.ErrMalformed)
	case h.MaxFrame < MinFrame:
		return h, fmt.Errorf("%w: the largest frame has %d bytes, less than %d", carrier.ErrMalformed, h.MaxFrame, MinFrame)
	case h.Window < 1 || h.TicksPerSecond < 1:
		return h, fmt.Errorf("%w: the window and the ticks per second must be at least 1", carrier.ErrMalformed)
	}
	h.MaxFrame, h.Window = min(h.MaxFrame, MaxFrame), min(h.Window, MaxWindow)
	return h, nil
}

// ID is the device's lasting identity: its uid, and only if it has none, its name.
func (h *Hello) ID() string {
	if len(h.UID) == 0 {
		return "name:" + h.Name
	}
	return hex.EncodeToString(h.UID)
}

func (h *Hello) Title() string {
	if h.Name == "" {
		return h.ID()
	}
	return h.Name
}

// A Welcome is the hub's answer to a HELLO. Each of its numbers has its own width, whatever it is, and so its place: a
// small device finds what it needs without reading CBOR.
type Welcome struct {
	Session  uint16
	Echo     uint32 // the ticks of the HELLO that is answered
	MaxFrame int
	Window   int
	Known    bool  // the hub goes on with the numbers of this device's boot
	Expects  uint8 // if known, the number of the device's next reliable frame
}

// expectsNone stands where the number expected does: the hub knows none of the device's, and they begin at 0.
const expectsNone = FrameNumbers

func (w *Welcome) Pack() []byte {
	dst := AppendUint(nil, protocolVersion)
	dst = appendUint16(dst, w.Session)
	dst = binary.BigEndian.AppendUint32(append(dst, cborUint32), w.Echo)
	dst = appendUint16(dst, uint16(w.MaxFrame))
	dst = AppendUint(dst, uint64(w.Window))
	if w.Known {
		return append(dst, cborUint8, w.Expects)
	}
	return append(dst, cborUint8, expectsNone)
}

// Hub is what the sessions of one Hub have in common, and those of different hubs rarely.
func (w *Welcome) Hub() byte { return byte(w.Session >> 8) }

func ParseWelcome(payload []byte) (Welcome, error) {
	var w Welcome
	in := Items{Rest: payload}
	if v := in.Uint("the protocol version", math.MaxUint16); in.Err == nil && v != protocolVersion {
		return w, fmt.Errorf("serial: the hub speaks version %d of the protocol, this device version %d", v, protocolVersion)
	}
	w.Session = uint16(in.Uint("the session", CRCStart-1))
	w.Echo = uint32(in.Uint("the ticks", math.MaxUint32))
	w.MaxFrame = int(in.Uint("the largest frame", math.MaxUint32))
	w.Window = int(in.Uint("the window", math.MaxUint32))
	if n := uint8(in.Uint("the number expected", expectsNone)); n != expectsNone {
		w.Known, w.Expects = true, n
	}
	if in.Err != nil {
		return w, in.Err
	}
	if w.Session == 0 || w.MaxFrame < MinFrame || w.Window < 1 {
		return w, fmt.Errorf("%w: session %d, largest frame %d, window %d", carrier.ErrMalformed, w.Session, w.MaxFrame, w.Window)
	}
	w.MaxFrame, w.Window = min(w.MaxFrame, MaxFrame), min(w.Window, MaxWindow)
	return w, nil
}
