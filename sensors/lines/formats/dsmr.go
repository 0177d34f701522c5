package formats

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"sighub/internal/safetext"
)

// dsmrParser takes lines for telegrams of a smart meter's P1 port: Netbeheer Nederland, P1 Companion Standard, versions 2.2 to 5.0.2,
// chapter 5; a telegram is as IEC 62056-21 has it. It begins with a line /XXX5…, and ends with a line ! and a CRC-16, which counts
// from / to ! with the ends of all lines, CR and LF.
type dsmrParser struct {
	unchecked bool

	open    bool
	lost    bool      // lines of a telegram came whose beginning did not
	at      time.Time // when the telegram began
	crc     uint16
	size    int
	objects []object
	gas     map[byte]string // by channel: the time of the last reading of another meter
}

// An object is a line of a telegram: what it is about, and its values in brackets.
type object struct {
	medium, channel byte
	code            string // C.D.E of the OBIS code
	values          string // with their brackets
}

// maxTelegram is the size of the longest telegram, in bytes. A real one has at most 2 KiB of text messages and 1 KiB of values.
const maxTelegram = 16 << 10

// Parse implements [Parser]. Only the last line of a telegram has events: those of the whole telegram.
func (p *dsmrParser) Parse(list []Event, line string, at time.Time) ([]Event, error) {
	switch {
	case strings.HasPrefix(line, "/"):
		var err error
		if p.open {
			err = fmt.Errorf("%w: a telegram has no end", ErrDamaged)
		}
		*p = dsmrParser{unchecked: p.unchecked, gas: p.gas, objects: p.objects[:0], open: true, at: at}
		p.add(line)
		return list, err
	case !p.open:
		return list, p.stray(line)
	case strings.HasPrefix(line, "!"):
		p.open = false
		p.crc = crc16(p.crc, "!")
		if err := p.check(strings.TrimSpace(line[1:])); err != nil {
			return list, err
		}
		return p.events(list)
	}
	if p.add(line); p.size > maxTelegram {
		p.open = false
		return list, fmt.Errorf("%w: a telegram of more than %d bytes", ErrLong, maxTelegram)
	}
	return list, nil
}

// stray returns what is wrong with a line outside telegrams. Half a telegram is told once.
func (p *dsmrParser) stray(line string) error {
	_, object := parseObject(line)
	switch {
	case strings.TrimSpace(line) == "", p.lost && (object || line[0] == '(' || line[0] == '!'):
		return nil
	case object || line[0] == '!':
		p.lost = true
		return fmt.Errorf("%w: a telegram has no beginning", ErrDamaged)
	}
	if _, err := Text(line); err != nil {
		return err
	}
	return fmt.Errorf("%w: no telegram has begun", ErrForm)
}

// add adds a line to the telegram.
func (p *dsmrParser) add(line string) {
	p.crc = crc16(crc16(p.crc, line), "\r\n")
	p.size += len(line) + 2
	if o, ok := parseObject(line); ok {
		p.objects = append(p.objects, o)
	} else if n := len(p.objects); n > 0 && strings.HasPrefix(line, "(") {
		p.objects[n-1].values += strings.TrimSpace(line) // before version 4, the value of a gas meter has a line of its own
	}
}

func (p *dsmrParser) check(sum string) error {
	if p.unchecked {
		return nil
	}
	if sum == "" {
		return fmt.Errorf("%w: there is none: write checksum: off if the meter is older than version 4", ErrDamaged)
	}
	want, err := strconv.ParseUint(sum, 16, 16)
	if err != nil || len(sum) != 4 {
		return fmt.Errorf("%w: it is not a number of four digits", ErrDamaged)
	}
	if want != uint64(p.crc) {
		return fmt.Errorf("%w: it is %04X, and should be %04X", ErrDamaged, want, p.crc)
	}
	return nil
}

// crc16 goes on with a CRC-16/ARC: polynomial 8005, reflected, from 0.
func crc16(crc uint16, text string) uint16 {
	for i := range len(text) {
		crc = crc>>8 ^ arcTable[byte(crc)^text[i]]
	}
	return crc
}

var arcTable = func() (table [256]uint16) {
	for i := range table {
		crc := uint16(i)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001 // 8005 in reverse
			} else {
				crc >>= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// parseObject reads a line such as 1-0:1.8.1(123456.789*kWh).
func parseObject(line string) (o object, ok bool) {
	line = strings.TrimSpace(line)
	open := strings.IndexByte(line, '(')
	colon := strings.IndexByte(line, ':')
	dash := strings.IndexByte(line, '-')
	if open < 0 || colon < 0 || dash < 0 || dash > colon || colon > open {
		return o, false
	}
	medium, err := strconv.ParseUint(line[:dash], 10, 8)
	channel, err2 := strconv.ParseUint(line[dash+1:colon], 10, 8)
	if err != nil || err2 != nil {
		return o, false
	}
	return object{byte(medium), byte(channel), strings.TrimSuffix(strings.TrimSuffix(line[colon+1:open], ".255"), "*255"), line[open:]}, true
}

// value returns the nth value in brackets, counted from 0, or from -1 from the end.
func (o *object) value(n int) (text string, ok bool) {
	list := strings.Split(strings.Trim(o.values, "()"), ")(")
	if n < 0 {
		n += len(list)
	}
	if n < 0 || n >= len(list) {
		return "", false
	}
	return list[n], true
}

// measured reads a number with its unit, as in 123.4*kWh. Some old meters write the unit before.
func (o *object) measured(text, unit string) (float64, error) {
	number, given, _ := strings.Cut(text, "*")
	v, err := numbers{}.number(number)
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %s is not a number, in %s", ErrForm, safetext.Short(text, 32), o.code)
	case given != "" && !strings.EqualFold(given, unit):
		return 0, fmt.Errorf("%w: %s is in %s, not in %s", ErrForm, o.code, safetext.Short(given, 32), unit)
	}
	return v, nil
}
