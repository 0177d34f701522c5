package onward

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"sighub/bridge/mqtt"
	"sighub/homeassistant"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/journal"
)

// A Place is what a hub is beside its configuration.
type Place struct {
	Version string
	// Folder makes a folder for what is remembered between runs, and returns its path, or "" if the hub has no state folder.
	Folder func(name string) string
}

// openMQTT makes the bridge to a broker.
func (b *Bridges) openMQTT(cfg *config.Config, m *config.MQTT, j *journal.Journal, at Place, log *slog.Logger) error {
	name := m.Hub
	if name == "" {
		var err error
		if name, err = hostHub(); err != nil {
			return err
		}
	}
	o := mqtt.Options{
		Name: m.Name, Addr: m.Addr, Version: m.Version, Journal: j, HubName: name, Identity: Identity(m.Name),
		Prefix: m.Prefix, Topic: m.Topic, Payload: m.Payload, Retain: m.Retain, Window: m.Window, Rate: m.Rate,
		Newest: m.Newest || m.HomeAssistant != nil, Every: m.Every, Commands: m.Commands, ClientID: m.Client, Logger: log,
	}
	if m.TLS {
		o.TLS = func() (*tls.Config, error) { return tlsOf(m) }
	}
	if m.User != "" {
		o.Login = func() (string, []byte, error) { return loginOf(m) }
	}
	if m.From == config.FromNow {
		o.Start = journal.FromEnd()
	}
	if s := m.Sends(); s != nil {
		o.Takes = func(sender, event string) bool {
			return s.Takes(sender, event, event == hub.Connect || event == hub.Disconnect || event == hub.Gap)
		}
	}
	if j == nil && !o.Newest {
		log.Error("no events go to the MQTT broker, because they are read from the journal, and the hub keeps none", "bridge", m.Name)
		return nil
	}
	o.HomeAssistant = &homeassistant.AnnouncerOptions{}
	folder := at.Folder("homeassistant")
	if folder != "" {
		o.HomeAssistant.File = filepath.Join(folder, homeassistant.Level(m.Name)+".json")
	}
	if h := m.HomeAssistant; h != nil {
		o.HomeAssistant.Plan.Prefix, o.HomeAssistant.Plan.Requests, o.HomeAssistant.Forget = h.Prefix, h.Requests, h.Forget
		o.HomeAssistant.Plan.Hub.Name, o.HomeAssistant.Plan.Hub.Version = name, at.Version
		o.HomeAssistant.Plan.Hub.ID = name
		if folder != "" {
			var err error
			if o.HomeAssistant.Plan.Hub.ID, err = hubID(filepath.Join(folder, "hub-id"), name); err != nil {
				return err
			}
		}
		o.HomeAssistant.Interval = intervals(&cfg.Sensing)
	}
	o.Silent = m.HomeAssistant == nil
	bridge, err := mqtt.New(o)
	if err != nil {
		return err
	}
	b.all = append(b.all, bridge)
	b.carriers = append(b.carriers, bridge)
	b.attach = append(b.attach, bridge.Attach)
	b.own = append(b.own, bridge.Own)
	return nil
}

// hubID returns what tells this hub from all others: it is made once, and kept in a file.
func hubID(file, name string) (string, error) {
	data, err := os.ReadFile(file)
	if err == nil && len(bytes.TrimSpace(data)) > 0 {
		return string(bytes.TrimSpace(data)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("what this hub is called in Home Assistant cannot be read: %w", err)
	}
	random := make([]byte, 6)
	_, _ = rand.Read(random) // it never fails
	id := hex.EncodeToString(random)
	if err := os.WriteFile(file, []byte(id+"\n"), 0o644); err != nil { //nolint:gosec // it is not secret
		return name, nil //nolint:nilerr // a hub without such a file has its name
	}
	return id, nil
}

// tlsOf returns what is asked of a broker's certificate. The files are read for each connection, so they may be renewed.
func tlsOf(m *config.MQTT) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(m.Addr)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if m.CA != "" {
		data, err := os.ReadFile(m.CA)
		if err != nil {
			return nil, fmt.Errorf("the authority of the broker's certificate: %w", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(data) {
			return nil, fmt.Errorf("the authority of the broker's certificate: there is no certificate in %s: it must be in PEM", m.CA)
		}
	}
	if m.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(m.Certificate, m.Key)
		if err != nil {
			return nil, fmt.Errorf("the certificate for the broker: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

// loginOf returns the user, and the password that is in the file now.
func loginOf(m *config.MQTT) (user string, password []byte, err error) {
	if m.Password == "" {
		return m.User, nil, nil
	}
	data, err := os.ReadFile(m.Password)
	if err != nil {
		return "", nil, fmt.Errorf("the password for the broker: %w", err)
	}
	return m.User, []byte(strings.TrimRight(string(data), "\r\n")), nil
}

// defaultPeriod is that of sensors.Source.
const defaultPeriod = 10 * time.Second

// intervals returns how often events of the hub's own sensors come at least, as far as they come all the time.
func intervals(s *config.Sensing) func(sender, event string) time.Duration {
	type key struct{ sender, event string }
	all := make(map[key]time.Duration)
	for _, sensor := range s.Sensors {
		period := cmp.Or(sensor.Period, defaultPeriod)
		if len(sensor.Outputs) == 0 {
			all[key{sensor.Sender, ""}] = period
		}
		for _, o := range sensor.Outputs {
			every := max(period, o.MinInterval)
			if o.Change > 0 {
				every = o.MaxInterval // 0: never, if nothing changes
			}
			all[key{sensor.Sender, cmp.Or(o.Event, o.Quantity)}] = every
		}
	}
	return func(sender, event string) time.Duration {
		if every, known := all[key{sender, event}]; known {
			return every
		}
		return all[key{sender, ""}]
	}
}
