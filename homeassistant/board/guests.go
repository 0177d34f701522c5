package board

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/homeassistant"
	"sighub/hub/verb"
	"sighub/internal/mqtt/topic"
)

// Bounds of what clients announce.
const (
	maxNotices     = 4096
	maxNotice      = 64 << 10 // bytes of one
	maxNoticeBytes = 4 << 20  // of all
	noticeCost     = 512      // bytes, beside the texts
	saveEvery      = time.Second
)

// A notice is what a client has announced at a topic of its own, as a broker would keep it: it stays when the client goes.
type notice struct {
	Topic    string `json:"topic"`
	Identity string `json:"identity,omitempty"` // whose client it was
	Payload  string `json:"payload"`            // in JSON, as it was written

	name  topic.Name      // what the topic is in the hub, for the rules
	tells map[string]bool // topics of states that Home Assistant finds there
}

func (n *notice) cost() int { return noticeCost + 2*len(n.Payload) + 2*len(n.Topic) + len(n.Identity) }

// notices are those of all clients. The Board's lock guards them.
type notices struct {
	loaded  bool
	file    string // empty: they are not remembered
	list    map[string]*notice
	bytes   int
	changed bool // since they were saved
}

// Announce keeps what a client announces at a topic, which is that of an event of a sender. An empty payload takes it back. The identity must
// have the right to trigger that event.
func (b *Board) Announce(identity, at string, name topic.Name, payload []byte) error {
	if !b.may(identity, verb.Add, name.Sender, "") || !b.may(identity, verb.Trigger, name.Sender, name.Name) {
		return fmt.Errorf("%w: to announce something at %s needs the rights to add the sender %s and to trigger %s", carrier.ErrDenied, at, name.Sender, name.Name)
	}
	n := &notice{Topic: at, Identity: identity, Payload: string(payload), name: name}
	if len(payload) > maxNotice {
		return fmt.Errorf("%w: an announcement has %d bytes at most", carrier.ErrTooLarge, maxNotice)
	}
	if len(payload) > 0 {
		tells, err := topicsIn(payload)
		if err != nil {
			return fmt.Errorf("%w: an announcement is a map in JSON: %w", carrier.ErrValue, err)
		}
		n.tells = tells
	}
	if err := b.loadNotices(); err != nil {
		return err
	}
	if err := b.note(n); err != nil {
		return err
	}
	b.tellFillers()
	select {
	case b.unsaved <- struct{}{}:
	default: // it is known
	}
	return nil
}

// note puts a notice in the place of the one at its topic.
func (b *Board) note(n *notice) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &b.notices
	old, cost := s.list[n.Topic], 0
	if len(n.Payload) > 0 {
		cost = n.cost()
	}
	before := 0
	if old != nil {
		before = old.cost()
	}
	switch {
	case cost == 0:
		delete(s.list, n.Topic)
	case old == nil && len(s.list) >= maxNotices, s.bytes-before+cost > maxNoticeBytes:
		return fmt.Errorf("%w: there are too many announcements of clients: %d, or %d MiB", carrier.ErrLimit, maxNotices, maxNoticeBytes>>20)
	default:
		if err := b.account.Take(cost); err != nil {
			return err
		}
		s.list[n.Topic] = n
	}
	b.account.Give(before)
	s.bytes += cost - before
	s.changed = true
	return nil
}

// tellFillers has all shelves show what has changed.
func (b *Board) tellFillers() {
	b.mu.Lock()
	list := slices.Collect(maps.Values(b.shelves))
	b.mu.Unlock()
	for _, f := range list {
		f.renew()
	}
}

// topicsIn returns the texts of an announcement that may be topics. The sign ~ at the beginning or at the end of one stands for what the
// announcement calls so.
func topicsIn(payload []byte) (map[string]bool, error) {
	var fields map[string]any
	if err := json.Unmarshal(payload, &fields); err != nil {
		return nil, err
	}
	if fields == nil {
		return nil, errors.New("it is null")
	}
	base, _ := fields["~"].(string)
	list := make(map[string]bool)
	collectTopics(fields, base, list)
	return list, nil
}

func collectTopics(v any, base string, list map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		if own, ok := v["~"].(string); ok {
			base = own
		}
		for _, field := range v {
			collectTopics(field, base, list)
		}
	case []any:
		for _, item := range v {
			collectTopics(item, base, list)
		}
	case string:
		if rest, ok := strings.CutPrefix(v, "~"); ok {
			v = base + rest
		} else if rest, ok := strings.CutSuffix(v, "~"); ok {
			v = rest + base
		}
		if strings.Contains(v, "/") {
			list[v] = true
		}
	}
}

// noticeFile is what is in the file.
type noticeFile struct {
	Version int       `json:"version"`
	List    []*notice `json:"announced"`
}

// loadNotices reads what was announced in a former run of the hub, unless that has been done.
func (b *Board) loadNotices() error {
	b.loading.Lock()
	defer b.loading.Unlock()
	b.mu.Lock()
	loaded := b.notices.loaded
	b.mu.Unlock()
	if loaded {
		return nil
	}
	_, folder, err := b.o.Place()
	if err != nil {
		return err
	}
	file := ""
	var list []*notice
	if folder != "" {
		file = filepath.Join(folder, "announced.json")
		if list, err = readNotices(file); err != nil {
			b.log.Error("what clients have announced to Home Assistant is forgotten: they announce it again when they start", "file", file, "error", err)
		}
	}
	for _, n := range list {
		if err := b.note(n); err != nil {
			b.log.Error("not all of what clients have announced is taken up", "error", err)
			break
		}
	}
	b.mu.Lock()
	b.notices.loaded, b.notices.file = true, file // last: a hub that ends meanwhile leaves the file as it is
	b.mu.Unlock()
	return nil
}

func readNotices(file string) ([]*notice, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var data []byte
	if err == nil && info.Size() > 4*maxNoticeBytes {
		err = errors.New("it is too large")
	}
	if err == nil {
		data, err = os.ReadFile(file)
	}
	var f noticeFile
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil {
		return nil, err
	}
	list := f.List[:0]
	for _, n := range f.List {
		if n == nil || !topic.IsKept(n.Topic) || topic.IsOwn(n.Topic) {
			continue
		}
		var bad error
		n.name, err = topic.Parse(n.Topic)
		if n.tells, bad = topicsIn([]byte(n.Payload)); err == nil && bad == nil {
			list = append(list, n)
		}
	}
	return list, nil
}

// keepNotices writes down what clients announce, a moment later, until ctx is done.
func (b *Board) keepNotices(ctx context.Context) {
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-b.unsaved:
			pause := time.NewTimer(saveEvery) // for what comes together
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			pause.Stop()
		}
		if err := b.saveNotices(); err != nil {
			b.log.Error("what clients announce to Home Assistant is not written down: the next run of the hub will not know it", "error", err)
		}
	}
}

func (b *Board) saveNotices() error {
	b.mu.Lock()
	s := &b.notices
	file, changed := s.file, s.changed
	s.changed = false
	var f noticeFile
	for _, at := range slices.Sorted(maps.Keys(s.list)) {
		f.List = append(f.List, s.list[at])
	}
	b.mu.Unlock()
	if file == "" || !changed {
		return nil
	}
	f.Version = 1
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return homeassistant.WriteFile(file, append(data, '\n'))
}
