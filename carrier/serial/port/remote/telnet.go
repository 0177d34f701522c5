package remote

// Bytes of Telnet, as in RFC 854.
const (
	iac  = 255 // what follows is a command; twice: the byte 255
	dont = 254
	do   = 253
	wont = 252
	will = 251
	sb   = 250 // a subnegotiation begins
	se   = 240 // and ends
)

// Options of Telnet.
const (
	optBinary  = 0  // RFC 856: all bytes as they are, except for 255
	optGoAhead = 3  // RFC 858: no signal whose turn it is
	optCOM     = 44 // RFC 2217
)

// maxSub bounds what is kept of a subnegotiation, in bytes. The longest one that matters is a signature.
const maxSub = 256

// A decoder takes apart what a Telnet server sends. Its zero value is ready to use.
type decoder struct {
	// negotiated is called with will, wont, do or dont, and the option; sub with an option and the body of a subnegotiation, which is
	// valid until it returns. One that is longer than maxSub is passed over.
	negotiated func(verb, option byte)
	sub        func(option byte, body []byte)
	text       bool // the server has not said that it sends all bytes as they are: behind CR stands NUL

	state decoderState
	verb  byte
	body  []byte
	long  bool
	cr    bool // the latest byte of data was CR
}

type decoderState int

const (
	inData    decoderState = iota
	inCommand              // behind IAC
	inOption               // behind a verb
	inSub
	inSubCommand // behind IAC in a subnegotiation
)

// feed takes bytes as they come, and appends the data among them to dst.
func (d *decoder) feed(dst, in []byte) []byte {
	for _, c := range in {
		switch d.state {
		case inData:
			if c == iac {
				d.state = inCommand
				continue
			}
			dst = d.data(dst, c)
		case inCommand:
			d.state = inData
			switch c {
			case iac:
				dst = d.data(dst, c)
			case will, wont, do, dont:
				d.state, d.verb = inOption, c
			case sb:
				d.state, d.body, d.long = inSub, d.body[:0], false
			} // others, such as no operation, mean nothing here
		case inOption:
			d.state = inData
			d.negotiated(d.verb, c)
		case inSub:
			if c == iac {
				d.state = inSubCommand
				continue
			}
			d.keep(c)
		case inSubCommand:
			d.state = inSub
			switch c {
			case iac:
				d.keep(c)
			case se:
				d.state = inData
				if len(d.body) > 0 && !d.long {
					d.sub(d.body[0], d.body[1:])
				}
			case will, wont, do, dont: // the end was lost
				d.state, d.verb = inOption, c
			case sb:
				d.body, d.long = d.body[:0], false
			default:
				d.state = inData
			}
		}
	}
	return dst
}

func (d *decoder) data(dst []byte, c byte) []byte {
	if d.text && d.cr && c == 0 {
		d.cr = false
		return dst
	}
	d.cr = c == '\r'
	return append(dst, c)
}

func (d *decoder) keep(c byte) {
	if len(d.body) == maxSub {
		d.long = true
		return
	}
	d.body = append(d.body, c)
}

// appendData appends data as it is sent. Text means that the other end has not agreed to all bytes as they are.
func appendData(dst, data []byte, text bool) []byte {
	for _, c := range data {
		dst = append(dst, c)
		switch {
		case c == iac:
			dst = append(dst, iac)
		case c == '\r' && text:
			dst = append(dst, 0)
		}
	}
	return dst
}

// appendSub appends a subnegotiation of RFC 2217's option.
func appendSub(dst []byte, body ...byte) []byte {
	dst = append(dst, iac, sb, optCOM)
	return append(appendData(dst, body, false), iac, se)
}

// A side is what one end has agreed to do about an option.
type side int

const (
	sideOff   side = iota
	sideAsked      // by us, and not answered yet
	sideOn
)

// options are what both ends have agreed on, as in RFC 1143, but without a queue: nothing is ever taken back here.
type options struct {
	us, them map[byte]side
}

// taken reports whether an option may be on at us, or at the other end. A server that offers what only clients offer is an echo.
func taken(option byte, us bool) bool {
	return option == optBinary || option == optGoAhead || option == optCOM && us
}

// start returns what is said first: what is offered, and what is asked for.
func (o *options) start() (say []byte) {
	o.us, o.them = make(map[byte]side), make(map[byte]side)
	for _, option := range []byte{optCOM, optBinary, optGoAhead} {
		o.us[option] = sideAsked
		say = append(say, iac, will, option)
		if option != optCOM { // only the client offers that
			o.them[option] = sideAsked
			say = append(say, iac, do, option)
		}
	}
	return say
}

// answer takes what the other end has said of an option, and returns what to say to it; nothing if it knows already.
func (o *options) answer(verb, option byte) (say []byte) {
	sides, yes, no := o.us, byte(will), byte(wont)
	if verb == will || verb == wont {
		sides, yes, no = o.them, do, dont
	}
	before := sides[option]
	switch wanted := verb == will || verb == do; {
	case !wanted:
		delete(sides, option)
		if before == sideOn {
			return []byte{iac, no, option}
		}
	case !taken(option, verb == do):
		return []byte{iac, no, option}
	default:
		sides[option] = sideOn
		if before == sideOff {
			return []byte{iac, yes, option}
		}
	}
	return nil
}
