// Package onward makes the bridges of a configuration, and shows how they are.
package onward

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"sighub/bridge"
	"sighub/bridge/nats"
	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/config"
	"sighub/journal"
)

// Bridges are the bridges of a hub.
type Bridges struct {
	all      []bridge.Bridge
	carriers []carrier.Carrier
	attach   []func(*hub.ServerRouter) error
	own      []func(senders []string)
}

// Open makes the bridges of a configuration. The journal is nil if the hub keeps none.
func Open(cfg *config.Config, j *journal.Journal, at Place, log *slog.Logger) (*Bridges, error) {
	b := new(Bridges)
	if n := cfg.Bridges.NATS; n != nil {
		if err := b.openNATS(n, j, log); err != nil {
			return nil, err
		}
	}
	for _, m := range cfg.Bridges.MQTT {
		if err := b.openMQTT(cfg, m, j, at, log); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// Own tells the bridges which senders of its own the hub is configured to have.
func (b *Bridges) Own(senders []string) {
	for _, own := range b.own {
		own(senders)
	}
}

// Identity is by what rules know other hubs that a bridge of this name brings.
func Identity(name string) string { return "bridge:" + name }

func (b *Bridges) openNATS(n *config.NATS, j *journal.Journal, log *slog.Logger) error {
	o := nats.Options{
		URL: n.URL, Hub: n.Hub, Prefix: n.Prefix,
		TLS:         nats.TLS{CA: n.CA, Certificate: n.Certificate, Key: n.Key},
		Credentials: nats.Credentials{Creds: n.Creds, NKey: n.NKey, Token: n.Token, User: n.User, Password: n.Password},
		Stream:      nats.Stream{Name: n.Stream, MaxBytes: n.Size, MaxAge: n.Age, Replicas: n.Replicas, Existing: n.Existing},
		First:       n.Firsts(), Live: n.Order == config.OrderLive, Rate: n.Rate, Hear: n.Hears(), Naming: n.Naming, May: n.May, Identity: Identity("nats"), Beat: n.Beat, Journal: j, Logger: log,
	}
	if o.Hub == "" {
		name, err := hostHub()
		if err != nil {
			return err
		}
		o.Hub = name
	}
	if n.From == config.FromNow {
		o.Start = journal.FromEnd()
	}
	if s := n.Sends(); s != nil {
		o.Quiet = s.None()
		o.Takes = func(sender, event string) bool {
			return s.Takes(sender, event, event == hub.Connect || event == hub.Disconnect || event == hub.Gap)
		}
	}
	if j == nil && !o.Quiet {
		log.Error("no events go to the NATS server, because they are read from the journal, and the hub keeps none", "url", o.URL)
	}
	up, err := nats.New(o)
	if err != nil {
		return err
	}
	log.Info("events go to a stream of many hubs", "bridge", "nats", "hub", o.Hub, "sends", !o.Quiet && j != nil, "hears", len(n.Hear) > 0)
	b.all = append(b.all, up)
	b.carriers = append(b.carriers, up)
	b.attach = append(b.attach, up.Attach)
	return nil
}

// hostHub returns the name of the machine as that of the hub.
func hostHub() (string, error) {
	name, err := os.Hostname()
	name, _, _ = strings.Cut(name, ".")
	if err == nil {
		err = nats.CheckHub(name)
	}
	if err != nil {
		return "", fmt.Errorf("the hub has no name in the stream of many hubs: %w: write hub: and a name that no other hub has", err)
	}
	return name, nil
}

// Attach gives the bridges the hub, before it is served.
func (b *Bridges) Attach(router *hub.ServerRouter) error {
	var errs []error
	for _, attach := range b.attach {
		errs = append(errs, attach(router))
	}
	return errors.Join(errs...)
}

// Carriers returns the bridges that the hub serves.
func (b *Bridges) Carriers() []carrier.Carrier { return b.carriers }

// Statuses returns how the bridges are.
func (b *Bridges) Statuses() []bridge.Status { return bridge.Statuses(b.all) }

// Methods adds the method that lists the bridges.
func (b *Bridges) Methods(others map[string]hub.Method) map[string]hub.Method {
	others[bridge.MethodBridges] = bridge.Method(b.all...)
	return others
}
