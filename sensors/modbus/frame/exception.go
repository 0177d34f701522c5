package frame

import "fmt"

// A Code says why a unit refuses a request: section 7 of the application protocol.
type Code byte

// The codes.
const (
	IllegalFunction Code = 1
	IllegalAddress  Code = 2
	IllegalValue    Code = 3
	DeviceFailure   Code = 4
	Acknowledge     Code = 5
	Busy            Code = 6
	NegativeAck     Code = 7
	ParityError     Code = 8
	NoPath          Code = 10
	NoResponse      Code = 11
)

// words are what a code means, and what can be done about it.
var words = map[Code]struct{ means, remedy string }{
	IllegalFunction: {"illegal function", "the unit has no such kind of register: check whether it is input, holding, coil or discrete"},
	IllegalAddress:  {"illegal data address", "the unit has no such register: check the address, which counts from 0, and the profile"},
	IllegalValue:    {"illegal data value", "the unit does not take this value or so many registers at once: check the range, or give the profile a smaller most"},
	DeviceFailure:   {"device failure", "the unit has failed: look at its display, or switch its power off and on"},
	Acknowledge:     {"acknowledged, not done yet", "the unit needs time: ask again later"},
	Busy:            {"busy", "the unit has something else to do: ask again later, or less often"},
	NegativeAck:     {"negative acknowledgement", "the unit cannot do this: check its manual"},
	ParityError:     {"memory parity error", "the unit's memory is damaged: switch its power off and on"},
	NoPath:          {"gateway path unavailable", "the gateway does not know this unit: check its settings"},
	NoResponse:      {"the unit behind the gateway does not answer", "check its power, its wires and its number"},
}

// String returns what the code means, and the code.
func (c Code) String() string {
	if w, ok := words[c]; ok {
		return fmt.Sprintf("%s (%d)", w.means, byte(c))
	}
	return fmt.Sprintf("exception %d", byte(c))
}

// Remedy returns what can be done.
func (c Code) Remedy() string {
	if w, ok := words[c]; ok {
		return w.remedy
	}
	return "look the code up in the manual of the unit"
}

// An ExceptionError is a unit's refusal of a request.
type ExceptionError struct {
	Function Function
	Code     Code
}

// Error implements error.
func (e *ExceptionError) Error() string { return "modbus: the unit refuses: " + e.Code.String() }

// Unreached reports whether the refusal comes from a gateway that did not reach the unit.
func (e *ExceptionError) Unreached() bool { return e.Code == NoPath || e.Code == NoResponse }

// Lasting reports whether the same request would be refused again.
func (e *ExceptionError) Lasting() bool {
	return e.Code == IllegalFunction || e.Code == IllegalAddress || e.Code == IllegalValue
}

// Append appends the exception as a message, without address and checksum.
func (e *ExceptionError) Append(b []byte) []byte {
	return append(b, byte(e.Function)|failed, byte(e.Code))
}
