package onward

import (
	"log/slog"
	"path/filepath"

	"sighub/carrier"
	"sighub/carrier/mqtt"
	"sighub/homeassistant"
	"sighub/homeassistant/board"
	"sighub/hub/verb"
	"sighub/internal/config"
)

// OpenBoard makes what Home Assistant is told at the hub's own MQTT port.
func OpenBoard(cfg *config.Config, at Place, budget *carrier.Budget, log *slog.Logger) Announced {
	h := &cfg.HomeAssistant
	if h.Off {
		return Announced{}
	}
	name, err := hostHub()
	if err != nil {
		name = "sighub" // of all hubs that have no name of their own
	}
	o := board.Options{Budget: budget, Logger: log}
	o.Announcer.Plan = homeassistant.Plan{Hub: homeassistant.Hub{Name: name, Version: at.Version}, Requests: h.Requests}
	o.Announcer.Forget = h.Forget
	o.Announcer.Interval = intervals(&cfg.Sensing)
	o.Place = func() (id, folder string, err error) {
		if folder = at.Folder("homeassistant"); folder == "" {
			return name, "", nil
		}
		id, err = hubID(filepath.Join(folder, "hub-id"), name)
		return id, folder, err
	}
	return Announced{board.New(o)}
}

// Announced is what is told at the hub's own MQTT port, or nothing.
type Announced struct{ board *board.Board }

// Shelf returns what clients of MQTT are told; nil if that is nothing.
func (a Announced) Shelf() mqtt.Shelf {
	if a.board == nil {
		return nil
	}
	return a.board
}

// Carriers returns what the hub serves.
func (a Announced) Carriers() []carrier.Carrier {
	if a.board == nil {
		return nil
	}
	return []carrier.Carrier{a.board}
}

// SetPolicy says who may hear what.
func (a Announced) SetPolicy(p verb.Policy) {
	if a.board != nil {
		a.board.SetPolicy(p)
	}
}

// Ready says which senders of its own the hub is configured to have, and whether it keeps a journal.
func (a Announced) Ready(own []string, journal bool) {
	if a.board != nil {
		a.board.Ready(own, journal)
	}
}
