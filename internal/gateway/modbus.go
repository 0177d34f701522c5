package gateway

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"sighub/carrier/serial/port"
	"sighub/internal/config"
	"sighub/sensors/modbus"
)

// tcpPrefix begins the address of a gateway.
const tcpPrefix = "tcp://"

// A dialer opens connections to gateways of Modbus, as if they were ports.
type dialer struct{}

// dialTimeout is how long a gateway may take to accept a connection.
const dialTimeout = 3 * time.Second

var _ port.SettingsOpener = dialer{}

// Open implements [port.Opener].
func (d dialer) Open(path string, _ int) (port.Port, error) { return d.OpenWith(path, port.Settings{}) }

// OpenWith implements [port.SettingsOpener]. A connection has no settings.
func (dialer) OpenWith(path string, _ port.Settings) (port.Port, error) {
	return dial(context.Background(), path)
}

func dial(ctx context.Context, path string) (port.Port, error) {
	ctx, stop := context.WithTimeout(ctx, dialTimeout)
	defer stop()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", strings.TrimPrefix(path, tcpPrefix))
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the gateway: %w", err)
	}
	return conn, nil
}

// modbusOpener returns what opens the port of a bus.
func modbusOpener(p *config.Port) (port.Opener, error) {
	if strings.HasPrefix(p.Port, tcpPrefix) {
		return dialer{}, nil
	}
	return port.NewOpener(p.Opener)
}

// ScanModbus looks for units on a bus. With a rate, only the settings of the port are tried. The scan's Open and TCP are set here.
func ScanModbus(ctx context.Context, p *config.Port, s modbus.Scan) error {
	opener, err := modbusOpener(p)
	if err != nil {
		return err
	}
	full, ok := opener.(port.SettingsOpener)
	if !ok {
		return errors.New("this opener does not know all settings: leave opener out")
	}
	s.TCP = strings.HasPrefix(p.Port, tcpPrefix)
	if p.Baud != config.DefaultBaud || !p.Settings.Usual() {
		one := p.Settings
		one.Baud, one.Fresh = cmp.Or(p.Baud, config.DefaultModbusBaud), true
		s.Settings = []port.Settings{one}
	}
	s.Open = func(ctx context.Context, settings port.Settings) (port.Port, error) {
		if s.TCP {
			return dial(ctx, p.Port)
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
