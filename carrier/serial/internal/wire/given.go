package wire

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"sighub/carrier"
)

// given reads a text that a device gives for people to read, or a null, which stands for the empty text. If it is not plain, it
// is read in an escaped form, and odd is true: a device is not turned away because of its name.
func (i *Items) given(what string, limit int) (text string, odd bool) {
	if i.null() {
		return "", false
	}
	s := string(i.str(what, carrier.CBORString, limit))
	if isPlain(s) {
		return s, false
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1], true
}

// isPlain reports whether a text is UTF-8 without characters that have no look of their own, such as control characters and
// those that change the direction of a text.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}
