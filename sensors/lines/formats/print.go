package formats

import (
	"fmt"
	"strings"
)

// Sentence returns a sentence of NMEA 0183, with its checksum and without the end of its line: the body is what lies between $ and *.
func Sentence(body string) string {
	var sum byte
	for i := range len(body) {
		sum ^= body[i]
	}
	return fmt.Sprintf("$%s*%02X", body, sum)
}

// Telegram returns a telegram of a smart meter, with its checksum and the ends of all its lines, of which the first is the meter's
// identification without the slash.
func Telegram(lines ...string) string {
	text := "/" + strings.Join(lines, "\r\n") + "\r\n!"
	return fmt.Sprintf("%s%04X\r\n", text, crc16(0, text))
}
