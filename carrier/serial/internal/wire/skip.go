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
	Sender, Event []byte // not checked
	Data          []byte // one CBOR item, not checked
}

// FindSignal looks for a signal in the payload of a MSG frame, whatever its value is. It returns false if the payload holds
// another message, or if it is malformed.
func FindSignal(payload []byte) (s Signal, ok bool) {
	var method, info []byte
	err := eachField(payload, func(key string, item []byte) {
		switch key {
		case "method":
			method = textOf(item)
		case "params":
			if perr := eachField(item, func(key string, item []byte) {
				switch key {
				case "info":
					info = item
				case "data":
					s.Data = item
				}
			}); perr != nil {
				info = nil
			}
		}
	})
	if err != nil || string(method) != "signal" || info == nil {
		return s, false
	}
	err = eachField(info, func(key string, item []byte) {
		switch key {
		case "sender":
			s.Sender = textOf(item)
		case "event":
			s.Event = textOf(item)
		}
	})
	return s, err == nil
}

// eachField calls f for each entry of a map whose key is a text.
func eachField(data []byte, f func(key string, item []byte)) error {
	major, n, rest, err := carrier.CBORHead(data)
	switch {
	case err != nil:
		return err
	case major != carrier.CBORMap:
		return errors.New("not a map")
	}
	indefinite := data[0]&31 == 31
	for ; indefinite || n > 0; n-- {
		if indefinite && len(rest) > 0 && rest[0] == 0xff {
			return nil
		}
		value, err := skipItem(rest)
		if err != nil {
			return err
		}
		after, err := skipItem(value)
		if err != nil {
			return err
		}
		if key := textOf(rest[:len(rest)-len(value)]); key != nil {
			f(string(key), value[:len(value)-len(after)])
		}
		rest = after
	}
	return nil
}

// textOf returns the bytes of a text of definite length; nil for another item.
func textOf(item []byte) []byte {
	major, n, rest, err := carrier.CBORHead(item)
	if err != nil || major != carrier.CBORString || n != uint64(len(rest)) {
		return nil
	}
	return rest
}
