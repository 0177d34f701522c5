package config

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

var windowsPort = regexp.MustCompile(`^(?i:(?:\\\\\.\\)?COM[0-9]+)$`)

// suits returns an error if the port, or what it asks for, does not exist on this system at all: goos is as runtime.GOOS.
func (p *Port) suits(goos string) error {
	switch {
	case goos != "windows" && windowsPort.MatchString(p.Port):
		return fmt.Errorf("%s is a port of Windows, and this is %s: write one such as %s, or auto", p.Port, systemName(goos), usualPort(goos))
	case goos == "windows" && strings.HasPrefix(p.Port, "/dev/"):
		return fmt.Errorf("%s is not a port of Windows: write one such as COM3, or auto", p.Port)
	case p.Opener == "tarm" && goos != "linux" && goos != "windows":
		return fmt.Errorf("the opener tarm works on Linux and Windows only: write native, or leave it out")
	case p.Opener == "tarm" && goos == "linux" && p.Baud != DefaultBaud && (!slices.Contains(usualRates(), p.Baud) || p.Baud == 250_000):
		return fmt.Errorf("the opener tarm cannot set baud %d: write a usual rate, or the opener native", p.Baud)
	}
	return nil
}

// doubts says what a port asks for that only some adapters can do; empty: nothing.
func (p *Port) doubts() string {
	if p.Baud == DefaultBaud || slices.Contains(usualRates(), p.Baud) {
		return ""
	}
	meant := ""
	for _, rate := range usualRates() {
		if d := p.Baud - rate; -rate/20 <= d && d <= rate/20 {
			meant = fmt.Sprintf(": did you mean %d?", rate)
		}
	}
	return fmt.Sprintf("baud %d is not a usual rate: many adapters refuse it, or take another one%s", p.Baud, meant)
}

func systemName(goos string) string {
	switch goos {
	case "linux":
		return "Linux"
	case "darwin":
		return "macOS"
	}
	return goos
}

func usualPort(goos string) string {
	if goos == "darwin" {
		return "/dev/cu.usbserial-1"
	}
	return filepath.ToSlash("/dev/ttyUSB0")
}
