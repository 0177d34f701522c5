package wire

import (
	"sighub/carrier"
	"sighub/internal/safetext"
)

// given reads a text that a device gives for people to read, or a null, which stands for the empty text. If it is not plain, it
// is read in an escaped form, and odd is true: a device is not turned away because of its name.
func (i *Items) given(what string, limit int) (text string, odd bool) {
	if i.null() {
		return "", false
	}
	s := string(i.str(what, carrier.CBORString, limit))
	if safetext.Check(s) == nil {
		return s, false
	}
	return safetext.Line(s), true
}
