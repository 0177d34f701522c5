package safetext

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxName is the length of the longest name, in bytes.
const MaxName = 255

// CheckName says why a text cannot be a name: of a sender, an event, a request, a device or a program. A name has 1 to
// [MaxName] bytes, does not begin or end with a space, and has no character that [Check] refuses.
func CheckName(name string) error {
	if name == "" {
		return errors.New("it is empty: give it one")
	}
	return checkShort(name)
}

// CheckUnit says why a text cannot be a unit: it may be empty, and otherwise is like a name.
func CheckUnit(unit string) error {
	if unit == "" {
		return nil
	}
	return checkShort(unit)
}

func checkShort(text string) error {
	switch err := Check(text); {
	case len(text) > MaxName:
		return fmt.Errorf("it has %d bytes, more than %d: shorten it", len(text), MaxName)
	case err != nil:
		return err
	case strings.HasPrefix(text, " ") || strings.HasSuffix(text, " "):
		return errors.New("it begins or ends with a space (U+0020): remove it")
	case strings.ContainsRune(text, utf8.RuneError):
		return errors.New("U+FFFD stands for a character that was lost on the way: send the text in UTF-8")
	}
	return nil
}

// Check says why a text is not harmless as it is: it has a control character, an invisible or bidirectional one, a space
// other than U+0020 (such as the no-break space, U+00A0), the end of a line (U+2028), a byte order mark (U+FEFF), a character
// that Unicode does not assign, a mark without its letter, or bytes that are not UTF-8. It names the first of them.
func Check(text string) error {
	if plain(text) {
		return nil
	}
	s := scanner{text: text}
	for s.next() {
		switch {
		case s.fault == "":
		case s.end == s.start+1 && s.r > 0x7f:
			return fmt.Errorf(`byte %d, 0x%02x, %s: send the text in UTF-8`, s.end, s.text[s.start], s.fault)
		default:
			return fmt.Errorf("U+%04X %s: remove it", s.r, s.fault)
		}
	}
	return nil
}
