package wire

import (
	"bytes"
	"fmt"

	"sighub/carrier"
)

// PackReply returns the payload of a REP frame of at most limit bytes, or nil if an ACK frame says it all.
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

// PackRefusal returns the payload of a REP frame of at most limit bytes that answers an EVT frame of which some readings are
// refused: the first failure's status and text, and the places of all refused readings in the frame, from 0. If these do not
// fit, the answer is that of a frame of which all readings are refused.
func PackRefusal(r carrier.Reply, places []int, limit int) []byte {
	b := AppendInt(nil, int64(r.Status))
	list := carrier.AppendCBORHead(nil, carrier.CBORArray, uint64(len(places)))
	for _, p := range places {
		list = AppendUint(list, uint64(p))
	}
	room := limit - len(b) - len(list) - 2
	if room < 0 {
		return PackReply(r, limit)
	}
	return append(appendText(b, shorten(r.Exception, room)), list...)
}

// ShortenReply returns the payload of a REP frame without its text, and without the places of the refused readings if they do not
// fit into limit bytes; nil if it carries a response.
func ShortenReply(payload []byte, limit int) []byte {
	in := Items{Rest: payload}
	status := in.Int("the status", 1<<31-1)
	if in.Err != nil || status == int64(carrier.StatusDone) {
		return nil
	}
	b := AppendInt(nil, status)
	if in.more() {
		in.raw("the text")
	}
	if whole := append(appendText(b, ""), in.Rest...); in.more() && len(whole) <= limit {
		return whole
	}
	return b
}

// RefusedPlaces returns which readings of an EVT frame the payload of a REP frame refuses. all is true if it does not say.
func RefusedPlaces(payload []byte) (places map[int]bool, all bool) {
	in := Items{Rest: payload}
	in.Int("the status", 1<<31-1)
	if !in.more() {
		return nil, true
	}
	in.raw("the text")
	if !in.more() {
		return nil, true
	}
	_, n := in.head("the places", carrier.CBORArray)
	places = make(map[int]bool)
	for ; n > 0 && in.Err == nil; n-- {
		places[int(in.Uint("a place", MaxFrame))] = true
	}
	return places, in.Err != nil
}

// shorten cuts a text so that it takes at most n bytes with its head, between two runes.
func shorten(s string, n int) string {
	if n > 255 {
		n-- // the head takes one byte more
	}
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// CheckReply returns an error if the payload of a REP frame makes no sense.
func CheckReply(payload []byte) error {
	in := Items{Rest: payload}
	in.Int("the status", 1<<31-1)
	if in.more() {
		in.raw("the response")
	}
	return in.Err
}

// UnpackReply reads the payload of a REP frame; nil stands for an ACK frame.
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
		return carrier.Failed(fmt.Errorf("read the reply: %w", in.Err))
	case r.Status == carrier.StatusDone:
		r.Response = value
	case !value.IsNull() && value.Decode(&r.Exception) != nil:
		r.Exception = value.String()
	}
	return r
}

// PackMessage returns the payload of a MSG frame with a message that any CBOR library can read. The frame's number is its
// id.
func PackMessage(m *carrier.Message) ([]byte, error) {
	o := carrier.Object{{Key: "method", Value: m.Method}}
	if !m.Params.IsNull() {
		o = append(o, carrier.Field{Key: "params", Value: m.Params})
	}
	return carrier.CBORText.AppendObject(nil, o)
}

// UnpackMessage reads the payload of a MSG frame whose method is a name.
func UnpackMessage(payload []byte) (*carrier.Message, error) {
	p, err := carrier.Unpack(carrier.CBORText, payload)
	switch {
	case err != nil:
		return nil, err
	case p.Message == nil:
		return nil, fmt.Errorf("%w: a MSG frame must not hold a reply", carrier.ErrMalformed)
	}
	return p.Message, nil
}

// PackNumbered returns the payload of a MSG frame whose method is a number.
func PackNumbered(method uint64, params carrier.Value) ([]byte, error) {
	return params.AppendTo(AppendUint(nil, method), carrier.CBORText)
}

// UnpackNumbered reads the payload of a MSG frame if its method is a number; else ok is false.
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

// MethodFetch is the number of the method that returns a piece of the dictionary. Its params are the offset, in two bytes
// whatever it is.
const MethodFetch = 0

// PackFetch returns the payload of a MSG frame that fetches the dictionary from offset on.
func PackFetch(offset int) []byte { return appendUint16(AppendUint(nil, MethodFetch), uint16(offset)) }

// DictionaryPiece returns as much of a packed dictionary, from offset on, as fits into a REP frame's payload of limit bytes.
func DictionaryPiece(packed []byte, offset uint64, limit int) []byte {
	rest := packed[min(offset, uint64(len(packed))):]
	return bytes.Clone(rest[:min(len(rest), limit-4)])
}
