package nats

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// A pulse is what a hub says now and then, so that others know that it is there.
type pulse struct {
	Boot string `json:"boot"`           // another one in each run
	Beat int64  `json:"beat"`           // milliseconds until the next one
	Gone bool   `json:"gone,omitempty"` // it is the last one
}

// How often a hub may say that it is there.
const (
	shortestBeat = 100 * time.Millisecond
	longestBeat  = 10 * time.Minute
)

// errTwins: another hub has the same name.
var errTwins = errors.New("nats: another hub has the same name")

func newBoot() string { return rand.Text()[:16] }

// beat says that the hub is there, until ctx is done; then that it goes, if the connection still is. It hears the beats of others.
func (b *Bridge) beat(ctx context.Context, conn *nats.Conn) error {
	own := b.o.Prefix + aliveSuffix + token(b.o.Hub)
	subject := own
	if b.o.Hear != nil {
		subject = b.o.Prefix + aliveSuffix + "*"
	}
	twins := make(chan struct{}, 1)
	sub, err := conn.Subscribe(subject, func(m *nats.Msg) {
		var p pulse
		if json.Unmarshal(m.Data, &p) != nil {
			return
		}
		if m.Subject == own {
			if p.Boot != b.boot && !p.Gone {
				select {
				case twins <- struct{}{}:
				default:
				}
			}
			return
		}
		if name, err := untoken(m.Subject[len(b.o.Prefix+aliveSuffix):]); err == nil {
			_ = b.far.do(ctx, func() { b.far.heard(name, p) })
		}
	})
	if err != nil {
		return fmt.Errorf("nats: other hubs cannot be heard: %w", err)
	}
	say := func(gone bool) error {
		data, err := json.Marshal(pulse{b.boot, b.o.Beat.Milliseconds(), gone})
		if err == nil {
			err = conn.Publish(own, data)
		}
		return err
	}
	tick := time.NewTicker(b.o.Beat)
	defer tick.Stop()
	for {
		if err := say(false); err != nil {
			return fmt.Errorf("nats: the hub cannot say that it is there: %w", err)
		}
		select {
		case <-tick.C:
		case <-twins:
			return fmt.Errorf("%w, %s: one of the two must be given another one", errTwins, shown(b.o.Hub))
		case <-ctx.Done():
			_ = sub.Unsubscribe() // it may be closed already
			if b.ending.Load() {
				if err := say(true); err == nil {
					_ = conn.FlushTimeout(time.Second) // else others find out a little later
				}
			}
			return context.Cause(ctx)
		}
	}
}
