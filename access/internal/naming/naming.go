// Package naming says what identities and roles may be called.
package naming

import (
	"errors"
	"fmt"
	"strings"
)

// Longest is the length of the longest name, in bytes.
const Longest = 64

const (
	letters = "abcdefghijklmnopqrstuvwxyz0123456789"
	inner   = "-_." // not at the beginning, nor at the end
)

// Check says why a text cannot be a name. A name has small letters, digits, and within it - _ . too. So no two names look alike, and
// none looks like a user, a device or an address.
func Check(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty: give one")
	case len(name) > Longest:
		return fmt.Errorf("the name has %d bytes, more than %d: shorten it", len(name), Longest)
	case strings.Trim(name, letters+inner) != "":
		if lower := strings.ToLower(name); lower != name && Check(lower) == nil {
			return fmt.Errorf("%q has capitals: write %s", name, lower)
		}
		return fmt.Errorf("%q is not a name: use small letters, digits, and - _ . between them", name)
	case strings.Trim(name, inner) != name:
		return fmt.Errorf("%q begins or ends with one of - _ . which may stand only between letters", name)
	}
	return nil
}
