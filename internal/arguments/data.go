package arguments

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"sighub/carrier"
)

// An Oddity is what a text has that is no JSON, although it looks as if a number or JSON was meant.
type Oddity string

// The oddities.
const (
	Nothing    Oddity = ""
	BrokenJSON Oddity = "begins like JSON and is not"
	Comma      Oddity = "has a comma, where JSON has a point"
	Zeros      Oddity = "begins with zeros, as no number in JSON does"
	NoNumber   Oddity = "is not a number that JSON has"
	Latin1     Oddity = "is not UTF-8, and is read as Latin-1"
)

// Numbers as people write them. JSON knows neither a sign + nor a point at an end.
var (
	plainNumber  = regexp.MustCompile(`^[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$`)
	commaNumber  = regexp.MustCompile(`^[+-]?[0-9]*,[0-9]+(?:[eE][+-]?[0-9]+)?$`)
	thousands    = regexp.MustCompile(`^[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?$`)
	zerosNumber  = regexp.MustCompile(`^[+-]?0[0-9]+(?:\.[0-9]*)?$`)
	noJSONNumber = regexp.MustCompile(`^(?i:[+-]?(?:nan|inf|infinity))$`)
)

// ParseData returns the value of a text: JSON, or a number that JSON would write otherwise, or else a string. It says what is odd
// about a string.
func ParseData(text string) (carrier.Value, Oddity) {
	if json.Valid([]byte(text)) && utf8.ValidString(text) {
		return carrier.RawValue(carrier.JSON, []byte(text)), Nothing
	}
	trimmed := strings.TrimSpace(text)
	odd := Nothing
	switch {
	case !utf8.ValidString(text):
		return carrier.ValueOf(latin1(text)), Latin1
	case plainNumber.MatchString(trimmed):
		return carrier.RawValue(carrier.JSON, []byte(jsonNumber(trimmed))), Nothing
	case commaNumber.MatchString(trimmed), thousands.MatchString(trimmed):
		odd = Comma
	case zerosNumber.MatchString(trimmed):
		odd = Zeros
	case noJSONNumber.MatchString(trimmed):
		odd = NoNumber
	case trimmed != "" && strings.IndexByte(`{["`, trimmed[0]) >= 0:
		odd = BrokenJSON
	}
	return carrier.ValueOf(text), odd
}

// jsonNumber writes a plain number as JSON does.
func jsonNumber(text string) string {
	sign := ""
	if text[0] == '+' || text[0] == '-' {
		sign, text = strings.TrimPrefix(text[:1], "+"), text[1:]
	}
	number, exponent := text, ""
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		number, exponent = text[:i], text[i:]
	}
	if number[0] == '.' {
		number = "0" + number
	}
	return sign + strings.TrimSuffix(number, ".") + exponent
}

// latin1 reads the bytes that are not UTF-8 as Latin-1, which they are likeliest to be.
func latin1(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		if r == utf8.RuneError && size == 1 {
			r = rune(text[0])
		}
		b.WriteRune(r)
		text = text[size:]
	}
	return b.String()
}

// Data returns the value of an argument. One that looks as if something else was meant is an error.
func Data(text string) (carrier.Value, error) {
	v, odd := ParseData(text)
	quoted, _ := json.Marshal(text) // a string can be marshalled
	asText := fmt.Sprintf("or '%s' to send it as a text", quoted)
	switch odd {
	case BrokenJSON:
		return v, fmt.Errorf("the data begins like JSON and is not (%w): mend it, %s", jsonFault(text), asText)
	case Comma:
		meant := strings.Replace(text, ",", ".", 1)
		if thousands.MatchString(text) {
			meant += " or " + strings.ReplaceAll(text, ",", "")
		}
		if strings.Count(text, ",") > 1 {
			meant = strings.ReplaceAll(text, ",", "")
		}
		return v, fmt.Errorf("%s %s: write %s, %s", text, odd, meant, asText)
	case Zeros:
		return v, fmt.Errorf("%s %s: write %s, %s", text, odd, withoutZeros(text), asText)
	case Latin1:
		return v, errors.New("the data is not UTF-8: check the encoding of the terminal or script")
	default:
		return v, nil
	}
}

// withoutZeros returns a number without the zeros that it begins with.
func withoutZeros(text string) string {
	number := strings.TrimLeft(strings.TrimLeft(text, "+-"), "0")
	if number == "" || number[0] == '.' {
		number = "0" + number
	}
	if text[0] == '-' {
		number = "-" + number
	}
	return strings.TrimSuffix(number, ".")
}

// jsonFault says what is wrong with what is no JSON, and where.
func jsonFault(text string) error {
	var v any
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	err := d.Decode(&v)
	var syntax *json.SyntaxError
	switch {
	case err == nil:
		return fmt.Errorf("byte %d: something follows the value", d.InputOffset()+1)
	case errors.As(err, &syntax):
		return fmt.Errorf("byte %d: %w", syntax.Offset, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("it is not complete")
	default:
		return err
	}
}
