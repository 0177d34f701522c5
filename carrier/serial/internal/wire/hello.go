package wire

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"

	"sighub/carrier"
)

// protocolVersion is the version that both sides speak. Later versions add items at the end of a HELLO.
const protocolVersion = 1

// MaxUID is the size of the longest uid in bytes: that of STM32 microcontrollers.
const MaxUID = 12

// A Hello is what a device says of itself to begin a session.
type Hello struct {
	UID            []byte
	Name, Firmware string
	OddName        bool   // Name is an escaped form of what the device has said, which is not plain text
	Dictionary     uint32 // hash of the dictionary; 0: there is none
	Boot           uint32
	ResetCause     uint64
	Kept           bool // unacknowledged frames, their numbers and the ticks have survived the reset
	Mute           bool // it reports nothing, because its dictionary has more events than it has room for
	Ticks          uint32
	Expects        uint8 // the number of the hub's next reliable frame
	ReceiveWindow  int   // bytes of unanswered frames that the hub may send
	MaxFrame       int
	Window         int // unanswered frames, in each direction
	TicksPerSecond uint32
	FastestBaud    uint32 // bits per second that the device can do; 0: the rate stays
}

// The flags of a HELLO.
const (
	flagKept = 1
	flagMute = 2
)

// defaultTicks is the ticks per second of a device that does not say.
const defaultTicks = 1000

// Pack returns the payload of a HELLO frame, without the fields at its end that have their defaults.
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
	var flags uint64
	if h.Kept {
		flags |= flagKept
	}
	if h.Mute {
		flags |= flagMute
	}
	number(flags, 0)
	number(uint64(h.Ticks), 0)
	number(uint64(h.Expects), 0)
	number(uint64(h.ReceiveWindow), MinFrame)
	number(uint64(h.MaxFrame), MinFrame)
	number(uint64(h.Window), 1)
	number(uint64(h.TicksPerSecond), defaultTicks)
	number(uint64(h.FastestBaud), 0)
	return dst[:end]
}

// ParseHello reads the payload of a device's HELLO frame. Fields missing at its end have their defaults; items after the
// last one belong to later versions, and are ignored.
func ParseHello(payload []byte) (Hello, error) {
	h := Hello{ReceiveWindow: MinFrame, MaxFrame: MinFrame, Window: 1, TicksPerSecond: defaultTicks}
	in := Items{Rest: payload}
	if v := in.Uint("the protocol version", math.MaxUint16); in.Err == nil && v != protocolVersion {
		return h, fmt.Errorf("serial: the device speaks version %d of the protocol, this hub speaks version %d", v, protocolVersion)
	}
	h.UID = append([]byte(nil), in.str("the uid", carrier.CBORBytes, MaxUID)...)
	for _, f := range []func(){
		func() { h.Name, h.OddName = in.given("the name", MinFrame) },
		func() { h.Firmware, _ = in.given("the firmware's version", MinFrame) },
		func() { h.Dictionary = uint32(in.Uint("the dictionary's hash", math.MaxUint32)) },
		func() { h.Boot = uint32(in.Uint("the boot number", math.MaxUint32)) },
		func() { h.ResetCause = in.Uint("the reset cause", math.MaxUint64) },
		func() {
			flags := in.Uint("the flags", flagKept|flagMute)
			h.Kept, h.Mute = flags&flagKept != 0, flags&flagMute != 0
		},
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
		return h, fmt.Errorf("%w: a device must have a uid or a name", carrier.ErrMalformed)
	case h.MaxFrame < MinFrame:
		return h, fmt.Errorf("%w: the largest frame must have at least %d bytes, not %d", carrier.ErrMalformed, MinFrame, h.MaxFrame)
	case h.Window < 1 || h.TicksPerSecond < 1:
		return h, fmt.Errorf("%w: the window and the ticks per second must be at least 1", carrier.ErrMalformed)
	}
	h.MaxFrame, h.Window = min(h.MaxFrame, MaxFrame), min(h.Window, MaxWindow)
	return h, nil
}

// ID returns the device's lasting identity: its uid, or its name if it has none.
func (h *Hello) ID() string {
	if len(h.UID) == 0 {
		return "name:" + h.Name
	}
	return hex.EncodeToString(h.UID)
}

// Title returns the device's name for people to read.
func (h *Hello) Title() string { return cmp.Or(h.Name, h.ID()) }

// A Welcome is the hub's answer to a HELLO. Each number has a fixed width and so a fixed place, so that a small device needs
// no CBOR reader.
type Welcome struct {
	Session  uint16
	Echo     uint32 // the ticks of the HELLO that it answers
	MaxFrame int
	Window   int
	Known    bool  // the hub knows the numbers of this device's frames
	Expects  uint8 // if Known, the number of the device's next reliable frame
}

// expectsNone in the place of Expects says that the hub does not know the device's numbers: they begin at 0.
const expectsNone = FrameNumbers

// Pack returns the payload of the HELLO frame that answers a HELLO.
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

// Hub returns the part of the session's number that all sessions of one hub share, and those of two hubs rarely.
func (w *Welcome) Hub() byte { return byte(w.Session >> 8) }

// ParseWelcome reads the payload of a hub's HELLO frame.
func ParseWelcome(payload []byte) (Welcome, error) {
	var w Welcome
	in := Items{Rest: payload}
	if v := in.Uint("the protocol version", math.MaxUint16); in.Err == nil && v != protocolVersion {
		return w, fmt.Errorf("serial: the hub speaks version %d of the protocol, this device speaks version %d", v, protocolVersion)
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
