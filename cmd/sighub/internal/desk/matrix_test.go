package desk_test

import (
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"sighub/access"
	"sighub/access/pairing"
	"sighub/cmd/sighub/internal/desk"
	"sighub/hub"
	"sighub/hub/verb"
	"sighub/internal/address"
	"sighub/internal/guard"
	"sighub/journal"
	"sighub/journal/journaltest"
	"sighub/listen/keys"
	"sighub/web"
)

// What is there, and what is asked for, in the matrix.
var (
	matrixSenders = []string{"green1", "green2", "bed"}
	matrixEvents  = []string{"lux", "temp", "#alarm"}
	matrixMethods = []string{"on", "off"}
)

// matrixRoles returns roles: each verb with each pair of patterns, some verbs alone, and the roles that come with access.
func matrixRoles() (names []string, text string) {
	var b strings.Builder
	add := func(rules ...string) {
		name := fmt.Sprint("r", len(names))
		names = append(names, name)
		fmt.Fprintf(&b, "  %s:\n    - listen: {sender: mark, event: end}\n", name)
		for _, rule := range rules {
			fmt.Fprintf(&b, "    - %s\n", rule)
		}
	}
	senders, events, methods := []string{"*", "green*", "green1"}, []string{"*", "lux", "#*"}, []string{"*", "on"}
	for i := range len(senders) * len(events) { // each verb with other patterns, so that none is taken for another
		sender := func(k int) string { return senders[(i+k)%len(senders)] }
		event := func(k int) string { return events[(i/len(senders)+k)%len(events)] }
		listen, trigger := fmt.Sprintf("listen: {sender: %q, event: %q}", sender(0), event(0)), fmt.Sprintf("trigger: {sender: %q, event: %q}", sender(1), event(1))
		request := fmt.Sprintf("request: {sender: %q, method: %q}", sender(2), methods[i%len(methods)])
		add(fmt.Sprintf("add: {sender: %q}", sender(2*i)), listen, trigger, request)
	}
	add(`add: {sender: "green*"}`)
	add(`add: {sender: "*"}`, `trigger: {sender: "*", event: "#*"}`)
	add(`listen: {sender: "green*", event: lux}`)
	add(`request: {sender: "*", method: "o*"}`)
	add("admin")
	add(`listen: {sender: bed, event: "*"}`, `request: {sender: "green*", method: off}`, `trigger: {sender: "*", event: lux}`)
	return append(names, access.Viewer, access.Operator, access.Sender, "admin"), b.String()
}

// A market is a hub at which everything is spoken.
type market struct {
	t      *testing.T
	guard  *guard.Guard
	router *hub.ServerRouter
	kept   *journal.Journal
	own    map[string]*hub.Sender
	mark   *hub.Sender
	marked int
	addr   string // host:port
	socket string // a path
	pin    keys.Pin
	roles  []string
	rules  string // the file
	text   string // of the roles
	tokens []string
}

func newMarket(t *testing.T) *market {
	m := &market{t: t, own: make(map[string]*hub.Sender)}
	folder := t.TempDir()
	m.rules, m.socket = filepath.Join(folder, "access.yaml"), filepath.Join(folder, "hub.sock")
	m.roles, m.text = matrixRoles()
	m.write(0)
	log := slog.New(slog.DiscardHandler)
	certificate, err := keys.Own(filepath.Join(folder, "tls"), log)
	must(t, err)
	m.pin = certificate.Pin()
	m.guard, err = guard.Open(guard.Options{Rules: m.rules, Folder: filepath.Join(folder, "access"), Quiet: true, Logger: log})
	must(t, err)
	t.Cleanup(func() { must(t, m.guard.Close()) })
	for i, role := range m.roles {
		token, err := m.guard.Control().AddToken(access.Actor{Who: "test"}, pairing.Grant{Name: fmt.Sprint("i", i), Roles: []string{role}}, "")
		must(t, err)
		m.tokens = append(m.tokens, token)
	}
	m.kept, err = journal.OpenFolder(journaltest.NewFolder(1), journal.Options{Size: 16 << 20, Segment: 1 << 20})
	must(t, err)
	pages := web.New(web.Options{Logger: log})
	listeners, err := address.Listen([]address.Address{{Network: "tcp", Addr: "127.0.0.1:0"}, {Network: "unix", Addr: m.socket}},
		address.Options{Certificate: certificate, Login: m.guard.Login(), HTTP: pages, Logger: log})
	must(t, err)
	d := &desk.Desk{Guard: m.guard, Certificate: certificate}
	o := hub.ServerOptions{Methods: map[string]hub.Method{}, Needs: map[string]verb.Verb{}, Journal: m.kept,
		Keeps: func(sender, _ string) bool { return slices.Contains(matrixSenders, sender) || sender == "mark" }}
	d.Apply(&o)
	m.router = hub.NewServerRouter(o)
	d.Router = m.router
	for _, l := range listeners {
		d.Carriers = append(d.Carriers, l)
		for _, addr := range l.Addrs() {
			if rest, ok := strings.CutPrefix(addr, "tcp://"); ok {
				m.addr = rest
			}
		}
	}
	m.guard.Enforce(func(p *access.Policy) { m.router.SetPolicy(p) })
	done := func(any) (any, error) { return nil, nil }
	requests := make(map[string]hub.RequestHandler)
	for _, method := range matrixMethods {
		requests[method] = answering(done)
	}
	for _, name := range matrixSenders {
		m.own[name], err = m.router.AddSender(name, hub.SenderOptions{Events: matrixEvents, Requests: requests})
		must(t, err)
	}
	m.mark, err = m.router.AddSender("mark", hub.SenderOptions{Events: []string{"end"}})
	must(t, err)
	m.serve(append(d.Carriers, pages))
	return m
}

// write writes the rules, in which each identity has the role so many further on.
func (m *market) write(shift int) {
	var who strings.Builder
	for i := range m.roles {
		fmt.Fprintf(&who, "  i%d: %s\n", i, m.roles[(i+shift)%len(m.roles)])
	}
	must(m.t, os.WriteFile(m.rules, []byte("roles:\n"+m.text+"identities:\n"+who.String()), 0o600))
}

// happen has each event happen once, and then the end of it.
func (m *market) happen() (mark string) {
	for _, name := range matrixSenders {
		for _, event := range matrixEvents {
			m.trigger(m.own[name], event, 1)
		}
	}
	m.marked++
	m.trigger(m.mark, "end", m.marked)
	return fmt.Sprint("mark end ", m.marked)
}

func (m *market) trigger(s *hub.Sender, event string, data any) {
	m.t.Helper()
	g, err := s.Signal(event)
	must(m.t, err)
	must(m.t, g.Trigger(m.t.Context(), data))
}

// want returns what the policy in force says of an identity: the cells of a protocol that tells as much as this one.
func (m *market) want(i int, p *protocol) map[string]bool {
	policy := m.guard.Control().Policy()
	may := func(v verb.Verb, sender, name string) bool {
		ok, _ := policy.May(fmt.Sprint("i", i), v, sender, name)
		return ok
	}
	cells := map[string]bool{"admin": may(verb.Admin, "", "")}
	for _, s := range matrixSenders {
		if !p.rest {
			cells["add "+s] = may(verb.Add, s+"x", "")
		}
		hearsAny := false
		for _, e := range matrixEvents {
			cells["trigger "+s+" "+e] = may(verb.Add, s+"x", "") && may(verb.Trigger, s+"x", e)
			hears := may(verb.Listen, s, e)
			for _, how := range []string{"listen", "last", "past", "seen"} {
				cells[how+" "+s+" "+e] = hears
			}
			if !p.rest {
				cells["heard "+s+" "+e] = hears
			}
			hearsAny = hearsAny || hears
		}
		cells["history "+s] = hearsAny
		for _, r := range matrixMethods {
			cells["request "+s+" "+r] = may(verb.Request, s, r)
		}
	}
	return cells
}

// compare asks at each protocol for everything, as each identity, and compares.
func (m *market) compare(when string, all [][]*visitor) (cells int) {
	m.t.Helper()
	for _, visitors := range all {
		for _, v := range visitors {
			v.begin()
		}
	}
	for _, visitors := range all {
		for _, v := range visitors {
			v.wait()
		}
	}
	mark := m.happen()
	must(m.t, m.kept.Sync(m.t.Context())) // what is asked for is on record
	for p, visitors := range all {
		kind := &protocols[p]
		var asking sync.WaitGroup
		got := make([]map[string]bool, len(visitors))
		turns := make(chan bool, 8)
		for i, v := range visitors {
			turns <- true
			asking.Go(func() {
				got[i] = v.ask(mark)
				<-turns
			})
		}
		asking.Wait()
		for i := range visitors {
			want := m.want(i, kind)
			cells += len(want)
			for _, cell := range slices.Sorted(maps.Keys(want)) {
				if allowed, asked := got[i][cell]; !asked || allowed != want[cell] {
					m.t.Errorf("%s, %s, i%d (%s): %s is %t (asked: %t), want %t", when, kind.name, i, m.roles[i], cell, allowed, asked, want[cell])
				}
			}
			if len(got[i]) != len(want) {
				m.t.Errorf("%s, %s, i%d: %d cells, want %d", when, kind.name, i, len(got[i]), len(want))
			}
		}
	}
	return cells
}

// TestMatrix: every role may do by every protocol what the rules say, and nothing else: when it has come, after a reload, and when it has
// come again.
func TestMatrix(t *testing.T) {
	m := newMarket(t)
	connect := func() (all [][]*visitor) {
		for p := range protocols {
			var visitors []*visitor
			for i, token := range m.tokens {
				visitors = append(visitors, m.visit(&protocols[p], i, token))
			}
			all = append(all, visitors)
		}
		return all
	}
	leave := func(all [][]*visitor) {
		for _, visitors := range all {
			for _, v := range visitors {
				v.leave()
			}
		}
	}
	all := connect()
	cells := m.compare("at first", all)
	m.write(3)
	if changes, err := m.guard.Control().Reload(access.Actor{Who: "test"}); err != nil || len(changes) < len(m.roles)/2 {
		t.Fatal(len(changes), err)
	}
	cells += m.compare("after a reload", all)
	leave(all)
	all = connect()
	cells += m.compare("after coming again", all)
	leave(all)
	if cells < 10_000 {
		t.Errorf("%d cells were compared", cells)
	}
	t.Log(cells, "cells")
}
