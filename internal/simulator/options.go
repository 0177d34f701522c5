package simulator

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"sighub/carrier/serial/device"
	"sighub/hub"
	"sighub/sensors"
)

// readRequest is the method of a simulated sender that returns its latest values.
const readRequest = "read"

// Options say what a Simulator is. [Options.AddSender] adds the senders.
type Options struct {
	Name    string        // empty: "simulated", with a new uid
	Counter bool          // values count up, instead of following a day
	Rate    float64       // rounds per second, of one reading of each event; 0: as fast as the line takes them
	Count   int           // readings in all; 0: no end
	Day     time.Duration // the length of a simulated day
	Baud    int           // of the line; 0: the usual rate
	Refused func(error)   // is called with the error of the first reading that the hub refuses, if not nil

	senders []device.Sender
}

// AddSender adds a sender from NAME:EVENT,EVENT.
func (o *Options) AddSender(text string) error {
	name, list, ok := strings.Cut(text, ":")
	if !ok || name == "" || list == "" {
		return errors.New("write a name and its events, such as light:lux or weather:lux,celsius")
	}
	sender := device.Sender{Name: name, Requests: []string{readRequest}}
	for event := range strings.SplitSeq(list, ",") {
		switch event {
		case "", hub.Connect, hub.Disconnect, hub.Gap:
			return fmt.Errorf("%q cannot be an event: write names such as light:lux", event)
		}
		sender.Events = append(sender.Events, device.Event{Name: event, Unit: o.unit(name, event)})
	}
	if slices.ContainsFunc(o.senders, func(other device.Sender) bool { return other.Name == name }) {
		return fmt.Errorf("%s is given twice: write all its events after one name", name)
	}
	o.senders = append(o.senders, sender)
	return nil
}

// unit returns the unit of an event's values.
func (o *Options) unit(sender, event string) string {
	switch {
	case o.Counter:
		return sensors.Count
	case isTemperature(sender, event):
		return sensors.Celsius
	default:
		return sensors.Lux
	}
}

// isTemperature reports whether the names of a sender and its event mean a temperature. Any other event is light.
func isTemperature(sender, event string) bool {
	names := strings.ToLower(sender + " " + event)
	return strings.Contains(names, "temp") || strings.Contains(names, "cel")
}

// uid returns the device's uid: always the same for the same name, a new one without a name.
func (o *Options) uid() []byte {
	uid := make([]byte, 8)
	if o.Name != "" {
		sum := sha256.Sum256([]byte(o.Name))
		copy(uid, sum[:])
	} else {
		_, _ = rand.Read(uid) // it never fails
	}
	return uid
}
