package wire

import (
	"bytes"
	"fmt"

	"sighub/carrier"
)

// PackReply returns the payload of the REP for a reply; nil if an ACK says it all.
func PackReply(r carrier.Reply, limit int) []byte {
	b := AppendInt(nil, int64(r.Status))
	switch {
	case r.Status != carrier.StatusDone:
		if room := limit - len(b) - 2; r.Exception != "" {
			b = appendText(b, shorten(r.Exception, room))
		}
	case r.Response.IsNull():
		return nil
	default:
		var err error
		if b, err = r.Response.AppendTo(b, carrier.CBORText); err != nil {
			return PackReply(carrier.Failed(fmt.Errorf("pack the response: %w", err)), limit)
		}
		if len(b) > limit {
			return PackReply(carrier.Failed(fmt.Errorf("%w: a response of %d bytes for frames that hold %d",
				carrier.ErrTooLarge, len(b), limit)), limit)
		}
	}
	return b
}

// shorten cuts a text after at most n bytes, between two runes; n is at least 0.
func shorten(s string, n int) string {
	if n > 255 {
		n-- // the text's head takes one byte more
	}
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

func UnpackReply(payload []byte) carrier.Reply {
	if payload == nil {
		return carrier.Reply{}
	}
	in := Items{Rest: payload}
	r := carrier.Reply{Status: carrier.Status(in.Int("the status", 1<<31-1))}
	var value carrier.Value
	if in.more() {
		value = carrier.RawValue(carrier.CBORText, in.raw("the response"))
	}
	switch {
	case in.Err != nil:
		return carrier.Failed(fmt.Errorf("the reply: %w", in.Err))
	case r.Status == carrier.StatusDone:
		r.Response = value
	case !value.IsNull() && value.Decode(&r.Exception) != nil:
		r.Exception = value.String()
	}
	return r
}

// PackMessage returns the payload of a MSG frame with a message as any CBOR library can read it. Its id is the
// frame's number.
func PackMessage(m *carrier.Message) ([]byte, error) {
	o := carrier.Object{{Key: "method", Value: m.Method}}
	if !m.Params.IsNull() {
		o = append(o, carrier.Field{Key: "params", Value: m.Params})
	}
	return carrier.CBORText.AppendObject(nil, o)
}

func UnpackMessage(payload []byte) (*carrier.Message, error) {
	p, err := carrier.Unpack(carrier.CBORText, payload)
	switch {
	case err != nil:
		return nil, err
	case p.Message == nil:
		return nil, fmt.Errorf("%w: a reply stands in a MSG frame", carrier.ErrMalformed)
	}
	return p.Message, nil
}

// PackNumbered returns the payload of a MSG frame with a numbered method.
func PackNumbered(method uint64, params carrier.Value) ([]byte, error) {
	return params.AppendTo(AppendUint(nil, method), carrier.CBORText)
}

// UnpackNumbered reads the payload of a MSG frame if its method is a number.
func UnpackNumbered(payload []byte) (method uint64, params []byte, ok bool) {
	if len(payload) == 0 || payload[0]>>5 != carrier.CBORUnsigned {
		return 0, nil, false
	}
	in := Items{Rest: payload}
	method = in.Uint("the method", 1<<32-1)
	if in.more() {
		params = in.raw("the params")
	}
	return method, params, in.Err == nil
}

// MethodFetch is the number of the method that gives a piece of the dictionary. Its params are an offset, always in two
// bytes.
const MethodFetch = 0

// PackFetch returns the payload of a MSG that fetches the dictionary from an offset on.
func PackFetch(offset int) []byte { return appendUint16(AppendUint(nil, MethodFetch), uint16(offset)) }

// DictionaryPiece returns the piece of a packed dictionary from an offset on that fits into a REP's payload of limit bytes.
func DictionaryPiece(packed []byte, offset uint64, limit int) []byte {
	rest := packed[min(offset, uint64(len(packed))):]
	return bytes.Clone(rest[:min(len(rest), limit-4)])
}
