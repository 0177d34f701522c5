package kernel

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"sighub/sensors"
)

// A channel is one value of a device: the number in its file, plus offset, times scale.
type channel struct {
	quantity sensors.Quantity
	file     string // in the device's directory
	fault    string // a file that contains 1 while the value is not valid; or empty
	offset   float64
	scale    float64
	humid    bool // see wet
	parse    func([]byte) (float64, error)
}

func quantities(channels []channel) []sensors.Quantity {
	all := make([]sensors.Quantity, len(channels))
	for i, c := range channels {
		all[i] = c.quantity
	}
	return all
}

// maxText bounds what is read from a file. The longest one, a w1_slave, has some 75 bytes.
const maxText = 256

// readText reads a short text, such as a name or a label.
func readText(dir, file string) (string, error) {
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxText))
	if err := errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}

// textOr returns the short text in a file, or "" if it cannot be read.
func textOr(dir, file string) string {
	text, err := readText(dir, file)
	if err != nil {
		return ""
	}
	return text
}

// readNumber reads a number that does not change, such as a scale. It returns otherwise if there is no such file.
func readNumber(dir, file string, otherwise float64) (float64, error) {
	text, err := readText(dir, file)
	if errors.Is(err, os.ErrNotExist) {
		return otherwise, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := parseNumber([]byte(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", filepath.Join(dir, file), err)
	}
	return n, nil
}

var errNumber = errors.New("not a number")

// parseNumber reads a decimal number as the kernel writes it: an integer, or one with a fraction. White space may follow.
func parseNumber(text []byte) (float64, error) {
	text = bytes.TrimRight(text, " \t\r\n\x00")
	if len(text) > 64 {
		return 0, errNumber
	}
	for _, c := range text { // ParseFloat also accepts hexadecimal numbers and infinities
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return 0, errNumber
		}
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(n, 0) {
		return 0, errNumber
	}
	return n, nil
}
