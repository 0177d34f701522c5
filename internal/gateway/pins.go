package gateway

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"periph.io/x/conn/v3/driver/driverreg"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/gpio/gpioreg"
	"periph.io/x/host/v3/gpioioctl"

	"sighub/internal/config"
)

// openPin returns the machine's pin of that name. A name such as gpiochip0:17 means a chip and a number: not all boards have
// names for their pins.
func openPin(name string) (gpio.PinIn, error) {
	if p := gpioreg.ByName(name); p != nil {
		return p, nil
	}
	chips, err := filepath.Glob("/dev/gpiochip*")
	if err != nil || len(chips) == 0 {
		return nil, errors.New("this machine has no pins: there is no /dev/gpiochip0")
	}
	// periph.io looks for pins only once, so do not let it look before it can find some.
	f, err := os.Open(chips[0])
	if err == nil {
		err = f.Close()
	}
	switch {
	case errors.Is(err, os.ErrPermission):
		return nil, fmt.Errorf("%s: permission denied: add yourself to the group that owns it (usually: sudo usermod -aG gpio "+
			"$USER), then log in again", chips[0])
	case err != nil:
		return nil, fmt.Errorf("cannot open the machine's pins: %w", err)
	}
	if _, err := driverreg.Init(); err != nil {
		return nil, fmt.Errorf("cannot open the machine's pins: %w", err)
	}
	if p := gpioreg.ByName(name); p != nil {
		return p, nil
	}
	chip, number, _ := strings.Cut(name, ":")
	if n, err := strconv.Atoi(number); err == nil {
		for _, c := range gpioioctl.Chips {
			if c.Name() == chip && n >= 0 && n < c.LineCount() {
				return c.ByNumber(n), nil
			}
		}
	}
	return nil, fmt.Errorf("there is no pin called %s: `gpioinfo` lists the pins; write one without a name as chip and number, "+
		"such as gpiochip0:17", name)
}

// pulls are what a checked configuration calls off, up and down.
var pulls = map[string]gpio.Pull{config.PullOff: gpio.Float, config.PullUp: gpio.PullUp, config.PullDown: gpio.PullDown}
