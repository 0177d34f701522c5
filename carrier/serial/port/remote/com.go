package remote

import (
	"fmt"
	"strings"

	"sighub/carrier/serial/port"
)

// Commands of RFC 2217, as the client says them. The server's have fromServer added.
const (
	comSignature = 0
	comBaud      = 1
	comData      = 2
	comParity    = 3
	comStop      = 4
	comControl   = 5
	comLine      = 6 // the server tells of errors
	comModem     = 7 // and of modem lines
	comSuspend   = 8
	comResume    = 9
	comLineMask  = 10
	comModemMask = 11
	comPurge     = 12

	fromServer = 100
)

// Values of comControl.
const (
	controlNoFlow   = 1
	controlXONXOFF  = 2
	controlHardware = 3
	controlBreakOn  = 5
	controlBreakOff = 6
	controlDTROn    = 8
	controlDTROff   = 9
	controlRTSOn    = 11
	controlRTSOff   = 12
)

// answers reports whether a value of comControl answers another one. A line that was asserted when the port was opened may be told of
// late, so only the very value answers for a line.
func answers(value, asked byte) bool {
	return value == asked || asked <= controlHardware && value <= controlHardware
}

// purgeReceived is the value of comPurge that drops what has arrived at the server.
const purgeReceived = 1

// lineErrors are the bits of comLine that are asked for.
var lineErrors = []struct {
	bit  byte
	name string
}{{2, "overrun"}, {4, "parity"}, {8, "framing"}, {16, "break"}}

const lineMask = 2 | 4 | 8 | 16

// modemLines are the bits of comModem that say which lines are asserted.
var modemLines = []struct {
	bit  byte
	name string
}{{16, "CTS"}, {32, "DSR"}, {64, "RI"}, {128, "DCD"}}

// modemNames returns the names of the lines that are asserted.
func modemNames(state byte) string {
	var names []string
	for _, l := range modemLines {
		if state&l.bit != 0 {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, " ")
}

// A command is one setting of a port.
type command struct {
	code  byte
	value byte
	what  string
}

// parityCodes and stopCodes are the values of comParity and comStop.
var (
	parityCodes = map[port.Parity]byte{port.NoParity: 1, port.OddParity: 2, port.EvenParity: 3, port.MarkParity: 4, port.SpaceParity: 5}
	stopCodes   = map[port.StopBits]byte{port.OneStop: 1, port.TwoStop: 2, port.OneHalfStop: 3}
)

// commands returns the settings of a port in the order in which they are made, without the rate: modem lines that are to stay down
// come first, others last.
func commands(s port.Settings) (first, last []command) {
	dtr := command{comControl, controlDTROn, "DTR"}
	rts := command{comControl, controlRTSOn, "RTS"}
	if s.DTROff {
		dtr.value = controlDTROff
		first = append(first, dtr)
	} else {
		last = append(last, dtr)
	}
	switch {
	case s.RTSOff:
		rts.value = controlRTSOff
		first = append(first, rts)
	case s.Flow != port.RTSCTS: // else the server's driver has it
		last = append(last, rts)
	}
	data, parity, stop, flow := byte(s.Data), s.Parity, s.Stop, byte(controlNoFlow)
	if data == 0 {
		data = 8
	}
	if parity == "" {
		parity = port.NoParity
	}
	if stop == "" {
		stop = port.OneStop
	}
	switch s.Flow {
	case port.XONXOFF:
		flow = controlXONXOFF
	case port.RTSCTS:
		flow = controlHardware
	}
	first = append(first,
		command{comData, data, fmt.Sprintf("%d data bits", data)},
		command{comParity, parityCodes[parity], "the parity " + string(parity)},
		command{comStop, stopCodes[stop], string(stop) + " stop bits"},
		command{comControl, flow, "the flow control " + flowName(s.Flow)})
	return first, last
}

func flowName(f port.Flow) string {
	if f == "" {
		f = port.NoFlow
	}
	return string(f)
}

// bitsPerByte returns how many bits a byte takes on the line, rounded up.
func bitsPerByte(s port.Settings) int {
	bits := 1 + s.Data + 1
	if s.Data == 0 {
		bits = 10
	}
	if s.Parity != "" && s.Parity != port.NoParity {
		bits++
	}
	if s.Stop == port.TwoStop || s.Stop == port.OneHalfStop {
		bits++
	}
	return bits
}
