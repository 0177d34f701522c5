package topic

import (
	"errors"
	"fmt"
	"strings"
)

// Escape writes a name into a topic: as one level of it, or as several if it has slashes. first means that the topic begins with it.
// What a topic cannot say is written as % and two hexadecimal digits: %, + and # anywhere, / within a level, _ where a level begins,
// which is for the hub's own words, and $ where a topic does, which is for the server's.
func Escape(name string, level, first bool) string {
	if !strings.ContainsAny(name, "%+#/_$") {
		return name
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		begins := i == 0 || name[i-1] == '/' && !level
		switch {
		case c == '%', c == '+', c == '#', c == '/' && level, c == '_' && begins, c == '$' && i == 0 && first:
			fmt.Fprintf(&b, "%%%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// Unescape is the reverse of Escape. Hexadecimal digits may be small letters, and what need not be escaped may be.
func Unescape(text string) (string, error) {
	i := strings.IndexByte(text, '%')
	if i < 0 {
		return text, nil
	}
	b := []byte(text[:i])
	for ; i < len(text); i++ {
		if text[i] != '%' {
			b = append(b, text[i])
			continue
		}
		if i+2 >= len(text) || hex(text[i+1]) < 0 || hex(text[i+2]) < 0 {
			return "", errors.New("after % stand two hexadecimal digits: write %25 for the sign")
		}
		b = append(b, byte(hex(text[i+1])<<4|hex(text[i+2])))
		i += 2
	}
	return string(b), nil
}

func hex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	default:
		return -1
	}
}
