package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"sighub/carrier/serial/port"
	"sighub/carrier/serial/port/remote"
	"sighub/internal/config"
	"sighub/sensors/modbus"
)

// ScanModbus looks for units on a bus. With a rate, only the settings of the port are tried. The scan's Open and TCP are set here.
func ScanModbus(ctx context.Context, p *config.Port, s modbus.Scan) error {
	opener, err := openerOf(p)
	if err != nil {
		return err
	}
	full, ok := opener.(port.SettingsOpener)
	if !ok {
		return errors.New("this opener does not know all settings: leave opener out")
	}
	s.TCP = strings.HasPrefix(p.Port, remote.TCP+"://")
	if p.Baud != config.DefaultBaud || !p.Settings.Usual() {
		one := p.Settings
		one.Baud, one.Fresh = cmp.Or(p.Baud, config.DefaultModbusBaud), true
		s.Settings = []port.Settings{one}
	}
	s.Open = func(ctx context.Context, settings port.Settings) (port.Port, error) {
		if s.TCP {
			return remote.Opener{}.OpenContext(ctx, p.Port, port.Settings{})
		}
		settings.DTROff, settings.RTSOff, settings.RS485 = p.DTROff, p.RTSOff, p.Settings.RS485
		opened, err := full.OpenWith(p.Port, settings)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, port.Remedy(err))
		}
		return opened, nil
	}
	return s.Run(ctx)
}
