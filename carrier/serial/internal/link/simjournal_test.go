package link

import (
	"testing"
	"time"
)

// A simJournal is what a sim's hub keeps when it is killed, and what it has not committed yet.
type simJournal struct {
	state   []byte
	waiting []simCommit // oldest first
	cuts    int
	repeats int // cuts that left frames on record that were not answered
}

type simCommit struct {
	at     time.Time
	state  []byte
	record func()
	answer func()
}

// settle records what a frame has brought, and answers it: at once or later. If there is a journal, both wait for a commit.
func (s *sim) settle(d *Device, in *Incoming, reply []byte, record func()) {
	j := s.journal
	if j == nil {
		record()
		s.later(&d.Link, in, reply)
		return
	}
	d.Link.Consumed()
	in.Presume(reply)
	d.Settle(in)
	c := simCommit{at: s.now.Add(time.Duration(s.rng.IntN(60)) * time.Millisecond), state: d.State(s.now, nil), record: record,
		answer: func() { d.Link.Answer(in, reply) }}
	if n := len(j.waiting); n > 0 {
		c.at = latest(c.at, j.waiting[n-1].at)
	}
	j.waiting = append(j.waiting, c)
}

// commit commits what is due.
func (j *simJournal) commit(now time.Time) {
	for len(j.waiting) > 0 && !j.waiting[0].at.After(now) {
		j.keep().answer()
	}
}

func (j *simJournal) keep() simCommit {
	c := j.waiting[0]
	j.waiting = j.waiting[1:]
	j.state = c.state
	c.record()
	return c
}

// kill kills the hub, and starts it again with what is on record.
func (s *sim) kill() {
	j, settable := s.journal, s.hub.rates.settable
	j.cuts++
	kept := s.rng.IntN(len(j.waiting) + 1)
	for range kept {
		j.keep()
	}
	if kept > 0 {
		j.repeats++
	}
	j.waiting, s.connected = nil, nil
	s.hub = s.newHub()
	s.hub.Opened(settable)
	s.hub.devices.Recall = func(string) []byte { return j.state }
	s.hub.devices.Uptime = Uptime{Machine: 1, At: func(t time.Time) time.Duration { return t.Sub(time.Unix(1e9-1000, 0)) }}
}

// TestKilledOnALossyLine: what TestLossyLine promises holds for a hub that is killed again and again, with frames that it refuses as a
// whole, messages, faster rates, windows of any size, and resets.
func TestKilledOnALossyLine(t *testing.T) {
	seeds := uint64(40)
	if testing.Short() {
		seeds = 12
	}
	cuts, repeats, strayed := 0, 0, 0
	for seed := range seeds {
		kept := seed/4%2 == 1
		s := newSim(t, 1000+seed, []float64{0, 0.0005, 0.002, 0.004}[seed%4])
		s.journal = new(simJournal)
		s.kill()
		s.refusals = seed/8%2 == 1
		if seed/2%2 == 1 {
			s.hasten(1e6, 1e9)
		}
		for end := s.now.Add(30 * time.Second); s.now.Before(end); {
			s.step()
			s.journal.commit(s.now)
			s.load()
			switch s.rng.IntN(3000) {
			case 0, 1, 2:
				s.kill()
			case 3:
				s.unplug()
			case 4:
				if kept {
					s.reset(true)
				}
			}
		}
		s.damage, s.cut = 0, time.Time{}
		for end := s.now.Add(30 * time.Second); s.now.Before(end) && s.device.waiting > 0; {
			s.step()
			s.journal.commit(s.now)
		}
		for what, got := range map[string][]int64{"readings": s.readings, "messages": s.messages, "requests": s.requests} {
			if err := rising(what, got); err != nil {
				t.Errorf("seed %d: %v", seed, err)
			}
		}
		if n := s.device.waiting; n > 0 {
			t.Errorf("seed %d: %d readings are not acknowledged", seed, n)
		}
		if len(s.acked)+s.refused != s.queued || len(s.readings)+s.refused != s.queued {
			t.Errorf("seed %d: of %d readings %d were acknowledged, %d are on record, and %d were refused", seed, s.queued, len(s.acked),
				len(s.readings), s.refused)
		}
		if int64(len(s.messages)) < s.confirmed {
			t.Errorf("seed %d: %d messages are on record, %d were answered", seed, len(s.messages), s.confirmed)
		}
		cuts, repeats, strayed = cuts+s.journal.cuts, repeats+s.journal.repeats, strayed+s.resyncs
		if t.Failed() {
			return
		}
	}
	if cuts < 5*int(seeds) || repeats < int(seeds) || strayed < int(seeds)/8 {
		t.Errorf("too little has happened: %d cuts, %d with frames to be answered again, %d frames astray", cuts, repeats, strayed)
	}
	t.Logf("%d cuts, %d with frames to be answered again, %d frames astray", cuts, repeats, strayed)
}
