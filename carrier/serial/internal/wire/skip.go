package wire

import (
	"errors"

	"sighub/carrier"
)

var errItemEnd = errors.New("an item ends early")

// skipItem returns what follows the first CBOR item of data. It looks only for the item's end: its texts may be no UTF-8, and
// it may be nested deeper than a value may be. So one value that the hub refuses does not hide those after it. The
// recursion is bounded, because data is a frame at most.
func skipItem(data []byte) (rest []byte, err error) {
	major, n, rest, err := carrier.CBORHead(data)
	if err != nil {
		return nil, err
	}
	indefinite := data[0]&31 == 31
	switch major {
	case carrier.CBORBytes, carrier.CBORString:
		if indefinite {
			return skipUntilBreak(rest, major)
		}
		if n > uint64(len(rest)) {
			return nil, errItemEnd
		}
		return rest[n:], nil
	case carrier.CBORArray, carrier.CBORMap:
		if indefinite {
			return skipUntilBreak(rest, major)
		}
		if n > uint64(len(rest)) { // each item has a byte at least
			return nil, errItemEnd
		}
		if major == carrier.CBORMap {
			n *= 2
		}
	case carrier.CBORTag:
		n = 1
	default:
		n = 0
	}
	if indefinite {
		return nil, errors.New("an item of this type cannot be of indefinite length")
	}
	for ; n > 0; n-- {
		if rest, err = skipItem(rest); err != nil {
			return nil, err
		}
	}
	return rest, nil
}

// skipUntilBreak skips what an array, a map or a string of indefinite length consists of.
func skipUntilBreak(data []byte, within byte) (rest []byte, err error) {
	for items := 0; ; items++ {
		switch {
		case len(data) == 0:
			return nil, errItemEnd
		case data[0] == 0xff && within == carrier.CBORMap && items%2 == 1:
			return nil, errors.New("a key of a map has no value")
		case data[0] == 0xff:
			return data[1:], nil
		case (within == carrier.CBORBytes || within == carrier.CBORString) && (data[0]>>5 != within || data[0]&31 == 31):
			return nil, errors.New("a piece of a string must be a string of the same type")
		}
		if data, err = skipItem(data); err != nil {
			return nil, err
		}
	}
}

// A Signal is what a message "signal" says, as far as it can be found in a message that cannot be read as a whole.
type Signal struct {
	Sender, Event []byte // not checked, and not empty
	Data          []byte // one CBOR item, not checked; nil: none, or its end is not found
}

// FindSignal looks for a signal in the payload of a MSG frame, whatever its value is and what follows its names. ok reports
// whether it finds one.
func FindSignal(payload []byte) (s Signal, ok bool) {
	var method []byte
	eachField(payload, func(key string, item []byte, _ bool) {
		switch key {
		case "method":
			method = textOf(item)
		case "params":
			eachField(item, func(key string, item []byte, whole bool) {
				switch {
				case key == "info":
					s.findNames(item)
				case key == "data" && whole:
					s.Data = item
				}
			})
		}
	})
	return s, string(method) == "signal" && len(s.Sender) > 0 && len(s.Event) > 0
}

func (s *Signal) findNames(info []byte) {
	eachField(info, func(key string, item []byte, _ bool) {
		switch key {
		case "sender":
			s.Sender = textOf(item)
		case "event":
			s.Event = textOf(item)
		}
	})
}

// eachField calls f for each entry of a map whose key is a text, as far as they can be found. An item whose end is not found is not
// whole, and is the last one: it contains all that follows.
func eachField(data []byte, f func(key string, item []byte, whole bool)) {
	major, n, rest, err := carrier.CBORHead(data)
	if err != nil || major != carrier.CBORMap {
		return
	}
	indefinite := data[0]&31 == 31
	for ; indefinite || n > 0; n-- {
		if indefinite && len(rest) > 0 && rest[0] == 0xff {
			return
		}
		value, err := skipItem(rest)
		if err != nil {
			return
		}
		key := textOf(rest[:len(rest)-len(value)])
		after, err := skipItem(value)
		if key != nil {
			f(string(key), value[:len(value)-len(after)], err == nil)
		}
		if err != nil {
			return
		}
		rest = after
	}
}

// textOf returns the bytes of a text of definite length; nil for another item.
func textOf(item []byte) []byte {
	major, n, rest, err := carrier.CBORHead(item)
	if err != nil || major != carrier.CBORString || n != uint64(len(rest)) {
		return nil
	}
	return rest
}
