package config

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"sighub/carrier"
	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/remote"
	"sighub/internal/safetext"
	"sighub/internal/yamlfile"
	"sighub/sensors/lines"
)

// ParsePort parses a serial port as the command line has it: PORT, then optionally a ? and keys of the file joined by &, for
// example /dev/ttyUSB0?baud=250000&name=greenhouse. A ? that no key follows is part of a pattern.
func ParsePort(text string) (Port, error) {
	port, query := splitQuery(text)
	p := Port{Port: port, Baud: DefaultBaud, Naming: DefaultNaming}
	if err := checkPort(port); err != nil {
		return p, err
	}
	var l lines.Options
	var named []string
	var m modbusEntry
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		value, err := url.PathUnescape(value) // not QueryUnescape: a + is a +
		if err == nil && slices.Contains(queryKeys(), key) {
			named = append(named, key)
			err = setLines(&l, key, value)
		} else if err == nil && slices.Contains(modbusQueryKeys(), key) {
			err = m.set(key, value)
		} else if err == nil {
			err = p.set(key, value)
		}
		if err != nil {
			return p, err
		}
	}
	if p.Lines != nil {
		p.Lines = &l
	}
	if err := m.finish(&p, l.Sender, l.Events, named); err != nil {
		return p, err
	}
	if err := p.checkSpeaks(named); err != nil {
		return p, err
	}
	return p, p.suits(runtime.GOOS)
}

// splitQuery splits a port from the keys behind it. The first ? that a known key follows parts them, for there may be others in both;
// else the last one that something like a key follows.
func splitQuery(text string) (port, query string) {
	last := -1
	for i := range len(text) {
		if text[i] != '?' {
			continue
		}
		key, _, ok := strings.Cut(text[i+1:], "=")
		if ok && slices.Contains(portKeys(), key) {
			return text[:i], text[i+1:]
		}
		if ok {
			last = i
		}
	}
	if last < 0 {
		return text, ""
	}
	return text[:last], text[last+1:]
}

func checkPort(port string) error {
	if port == "" {
		return errors.New("the port is missing: write one such as /dev/ttyUSB0?baud=115200, or auto")
	}
	if port == NoPort {
		return errors.New("none means no port at all: remove it, or remove the others")
	}
	if key, value, ok := strings.Cut(port, ":"); ok && value != "" && slices.Contains(portKeys(), key) {
		return fmt.Errorf("%q is one word to YAML: write %s: %s, with a space after the colon", port, key, value)
	}
	if remote.Is(port) {
		_, _, err := remote.Split(port)
		return err
	}
	if strings.HasPrefix(port, "tty") {
		return fmt.Errorf("%s is not a path: write /dev/%s", port, port)
	}
	if _, err := filepath.Match(port, ""); err != nil {
		return fmt.Errorf("the pattern %s is malformed: close its brackets", port)
	}
	return nil
}

// checkElsewhere returns what is wrong with the settings of a port elsewhere; nil if it is one of this machine.
func (p *Port) checkElsewhere(settings port.Settings) error {
	if !remote.Is(p.Port) {
		return nil
	}
	scheme, address, err := remote.Split(p.Port)
	switch {
	case err != nil:
		return err
	case p.Exclude:
		return fmt.Errorf("exclude is for ports of this machine: leave the entry of %s out", p.Port)
	case p.Opener != "":
		return errors.New("opener is for ports of this machine: leave it out")
	case scheme == remote.TCP && p.Baud != DefaultBaud && p.Modbus == nil: // there, frames are timed by it
		return fmt.Errorf("over tcp:// the rate is that of the server: leave baud out, or write rfc2217://%s if the server knows that", address)
	}
	return remote.CheckSettings(scheme, settings)
}

// portKeys returns the keys of an entry of serial, as in decoder.port.
func portKeys() []string {
	return slices.Concat([]string{"port", "baud", "opener", "name", "naming", "dtr", "rts", "may"}, settingKeys(), linesKeys(), modbusKeys())
}

func (p *Port) set(key, value string) error {
	var err error
	switch key {
	case "baud":
		p.Baud, err = parseBaud(value)
		return err
	case "opener":
		p.Opener = strings.ToLower(value)
		return checkOneOf("opener", p.Opener, openers())
	case "name":
		p.Name = value
		return checkDeviceName(value)
	case "naming":
		p.Naming = value
		return checkNaming(value)
	case "dtr":
		p.DTROff = strings.EqualFold(value, lineOff)
		return checkOneOf("dtr", strings.ToLower(value), onOff())
	case "rts":
		p.RTSOff = strings.EqualFold(value, lineOff)
		return checkOneOf("rts", strings.ToLower(value), onOff())
	case "may":
		for word := range strings.SplitSeq(value, ",") {
			word = strings.ToLower(strings.TrimSpace(word))
			if err := checkOneOf("may", word, carrier.RightWords()); err != nil {
				return err
			}
			right, _ := carrier.ParseRights([]string{word}) // it is one of the words
			p.May |= right
		}
		return nil
	default:
		if slices.Contains(settingKeys(), key) {
			return p.setSetting(key, value)
		}
		known := slices.Concat(portKeys()[1:8], settingKeys(), queryKeys(), modbusQueryKeys())
		return fmt.Errorf("%q is not known: write %s", key, yamlfile.OrList(known))
	}
}

// autoBaud stands for a rate that the hub finds out by itself.
const autoBaud = "auto"

// lineOff stands for a modem line that stays down.
const lineOff = "off"

// parseBaud reads a rate, or auto.
func parseBaud(text string) (int, error) {
	if text == autoBaud {
		return DefaultBaud, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		rate := "a rate such as 115200"
		if n, ok := meantBaud(text); ok {
			rate = strconv.Itoa(n)
		}
		return 0, fmt.Errorf("baud %q is not a whole number: write %s, or auto", text, rate)
	}
	return n, checkBaud(n)
}

// usualRates are those of most adapters.
func usualRates() []int {
	return []int{300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 250000, 460800, 500000, 576000, 921600, 1_000_000,
		1_152_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000}
}

// meantBaud returns the rate that somebody means by 115k, 115.2k, 1M, 9,600 or 9600.0.
func meantBaud(text string) (int, bool) {
	factor := 1.0
	number := strings.TrimSpace(strings.ToLower(text))
	for _, ending := range []string{"bps", "baud", "bd", "d", "b"} {
		number = strings.TrimSpace(strings.TrimSuffix(number, ending))
	}
	if rest, ok := strings.CutSuffix(number, "k"); ok {
		number, factor = rest, 1e3
	} else if rest, ok := strings.CutSuffix(number, "m"); ok {
		number, factor = rest, 1e6
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		n, err = strconv.ParseFloat(strings.NewReplacer(",", "", " ", "", "'", "", "_", "").Replace(number), 64)
	}
	if err != nil {
		return 0, false
	}
	n *= factor
	for _, rate := range usualRates() {
		if math.Abs(n-float64(rate)) <= float64(rate)/100 {
			return rate, true
		}
	}
	return 0, false
}

func checkBaud(n int) error {
	if n < 300 || n > 4_000_000 {
		return fmt.Errorf("baud %d is out of range: write auto, or a rate from 300 to 4000000", n)
	}
	return nil
}

func checkOneOf(what, value string, list []string) error {
	if !slices.Contains(list, value) {
		return fmt.Errorf("%s %q is not known: write %s", what, value, yamlfile.OrList(list))
	}
	return nil
}

// maxDeviceName is the length of the longest name that a port gives its device, in bytes.
const maxDeviceName = 64

func checkDeviceName(name string) error {
	err := safetext.CheckName(name)
	if err == nil && len(name) > maxDeviceName {
		err = fmt.Errorf("it has %d bytes, more than %d: shorten it", len(name), maxDeviceName)
	}
	if err != nil {
		return fmt.Errorf("name %q cannot name a device: %w", safetext.Short(name, maxDeviceName), err)
	}
	return nil
}

// checkNaming returns an error for a naming that has no {sender}, so that all senders of a device would have the same name,
// or that has other braces.
func checkNaming(naming string) error {
	if !strings.Contains(naming, "{sender}") {
		return fmt.Errorf(`naming %q has no {sender}: write "{sender}" or "{device}.{sender}"`, naming)
	}
	rest := strings.NewReplacer("{sender}", "", "{device}", "").Replace(naming)
	if strings.ContainsAny(rest, "{}") {
		return fmt.Errorf("naming %q: only {sender} and {device} have a meaning: remove the other braces", naming)
	}
	if err := safetext.CheckName(naming); err != nil {
		return fmt.Errorf("naming %q cannot name a sender: %w", safetext.Short(naming, 64), err)
	}
	if len(naming) > 128 {
		return fmt.Errorf("naming has %d bytes: write 128 at most", len(naming))
	}
	return nil
}
