package access

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"sighub/hub/verb"
)

// TestMistakes: each mistake is told with its line, and with what to do.
func TestMistakes(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"", "x:1:1: the file is empty: write who may do what, or {}"},
		{"# nothing\n", "x:1:1: the file is empty"},
		{"---\n", "x:1:1: the file is empty"},
		{"- a\n", "x:1:1: the access file is a list: write a mapping with roles, identities, users, groups, addresses or devices"},
		{"rolls: {}\n", `x:1:1: "rolls" is not a key of the access file: write roles`},
		{"roles: {}\nroles: {}\n", "x:2:1: "},
		{"roles: [a]\n", "roles is a list: write a mapping such as {gardener:"},
		{"roles:\n  Gardener: []\n", `x:2:3: "Gardener" has capitals: write gardener`},
		{"roles:\n  viewer: []\n", "x:2:3: the role viewer is built in: choose another name"},
		{"roles:\n  a: viewer\n", "a role is a single value: write a list"},
		{"roles:\n  a:\n    - hear\n", `x:3:7: "hear" is not a verb: write add, trigger, listen, request, admin`},
		{"roles:\n  a:\n    - history\n", "x:3:7: history is listening to the past: write listen"},
		{"roles:\n  a:\n    - listen: green*\n", `x:3:15: listen is a single value: write listen: {sender: "green*", event: "*"}`},
		{"roles:\n  a:\n    - listen:\n", "x:3:7: listen has no pattern: write - listen if all is meant"},
		{"roles:\n  a:\n    - listen: {sender: x}\n", `listen does not say which event: write event: "*" if all are meant`},
		{"roles:\n  a:\n    - listen: {event: x}\n", "listen does not say which sender"},
		{"roles:\n  a:\n    - listen: {sender: x, method: y}\n", `"method" is not a key of listen: it may have sender, event`},
		{"roles:\n  a:\n    - add: {sender: x, event: y}\n", `"event" is not a key of add`},
		{"roles:\n  a:\n    - admin: {sender: x}\n", "admin has no pattern: write - admin"},
		{"roles:\n  a:\n    - deny: {sender: x}\n", `"deny" is not a verb`},
		{"roles:\n  a:\n    - listen: {sender: x?, event: y}\n", "? has no meaning here: write * for any text"},
		{"roles:\n  a:\n    - listen: {sender: *, event: y}\n", "x:3:24: aliases are not supported: write the value here; put a text that begins with * in quotes"},
		{"roles:\n  a:\n    - listen: {sender: \"\", event: y}\n", `sender "" is not a pattern: it is empty`},
		{"roles:\n  a:\n    - trigger: {sender: x, event: \"#connect\"}\n", "#connect is an event of the hub itself"},
		{"roles:\n  a:\n    - listen: {sender: x, event: y}\n      listen: {sender: z, event: y}\n", "x:4:7: "},
		{"identities:\n  alice: viewr\n", `x:2:10: there is no role "viewr": write viewer, operator, sender or admin, or add it to roles in x`},
		{"identities:\n  alice: [viewer, viewer]\n", "the role viewer is there twice"},
		{"identities:\n  alice:\n", "x:2:3: alice has no role: write one, such as alice: viewer"},
		{"identities:\n  \"unix:0\": admin\n", "is not a name: use small letters"},
		{"identities:\n  alice: viewer\n  \"alice\": admin\n", "x:3:3: "},
		{"identities:\n  - alice\n", "identities is a list: write a mapping such as {alice: viewer}"},
		{"users:\n  \"a b\": viewer\n", `"a b" is not a user of this machine`},
		{"addresses:\n  pi.local: viewer\n", `"pi.local" is not an address: write an IP address such as 192.168.1.40`},
		{"addresses:\n  10.0.0.1/8: viewer\n  10.0.0.2/8: viewer\n", "x:3:3: 10.0.0.0/8 is already on line 2"},
		{"devices: some\n", `x:1:10: devices is "some": write any, or known`},
		{"devices: 7\n", "devices must be a text"},
		{"users: &a {pi: admin}\nidentities: *a\n", "x:1:8: anchors are not supported"},
		{"users:\n  <<: {pi: admin}\n", "x:2:3: << is not supported"},
		{strings.Repeat("[", 30_000), "x:1:33: mappings and lists are more than 32 deep"},
		{strings.Repeat("#\n", 1<<18), "the file goes on beyond its first 262144 bytes"},
		{"a: \"\xff\"\n", "x:1:5: byte 0xff is not UTF-8"},
		{"\x00", "there is a byte 0 here"},
	} {
		_, err := Parse("x", []byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "x:") {
			t.Errorf("%.80q: %v\nwant %s", test.text, err, test.want)
		}
	}
	_, err := Parse("x", []byte("roles:\n  a: [hear]\nidentities: {Alice: viewer, bob: nothing}\n"))
	if err == nil || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("not all mistakes are told at once: %v", err)
	}
}

// TestForms: the ways in which people write the same.
func TestForms(t *testing.T) {
	p := compile(t, `
devices: known
identities: {alice: gardener, bob: [viewer, gardener], carol: []}
users: {pi: admin, "1234": viewer, 1235: viewer}
roles:
  gardener:
    - listen: {sender: "green*", event: "*"}
      request: {sender: pump, method: on}
    - {add: {sender: alice-*}, trigger: {sender: alice-*, event: 1}}
  empty:
  boss: [admin, listen]
groups:
addresses:
  192.168.1.40: sender
  2001:db8::/64: viewer
  "::ffff:10.1.0.0/112": viewer
`, Member{Name: "alice"}, Member{Name: "bob"}, Member{Name: "carol"})
	for _, test := range []struct {
		who    string
		v      verb.Verb
		sender string
		name   string
		want   string // empty: denied
	}{
		{"alice", verb.Listen, "greenhouse", "lux", "access.yaml:7"},
		{"alice", verb.Request, "pump", "on", "access.yaml:8"},
		{"alice", verb.Request, "pump", "off", ""},
		{"alice", verb.Add, "alice-1", "", "access.yaml:9"},
		{"alice", verb.Trigger, "alice-1", "1", "access.yaml:9"},
		{"bob", verb.Listen, "other", "lux", "access.yaml:3 (viewer)"},
		{"carol", verb.Listen, "", "", ""},
		{User(1000, nil), verb.Admin, "", "", "access.yaml:4 (admin)"},
		{User(1234, nil), verb.Listen, "a", "b", "access.yaml:4 (viewer)"},
		{User(1235, nil), verb.Listen, "a", "b", "access.yaml:4 (viewer)"},
		{User(0, nil), verb.Admin, "", "", "access.yaml, without a line about root (admin)"},
		{Device("x"), verb.Add, "a", "", ""},
		{"address:192.168.1.40", verb.Add, "a", "", "access.yaml:14 (sender)"},
		{"address:2001:db8::5", verb.Listen, "a", "b", "access.yaml:15 (viewer)"},
		{"address:10.1.2.3", verb.Listen, "a", "b", "access.yaml:16 (viewer)"},
		{"address:10.2.2.3", verb.Listen, "a", "b", ""},
	} {
		if ok, rule := p.May(test.who, test.v, test.sender, test.name); rule != test.want || ok != (test.want != "") {
			t.Errorf("%s %s %s %s: %v by %q, want %q", test.who, test.v, test.sender, test.name, ok, rule, test.want)
		}
	}
}

// TestWarnings: what is no mistake, and does not do what it seems to.
func TestWarnings(t *testing.T) {
	p := compile(t, "roles:\n  idle: []\nidentities:\n  alice: viewer\nusers:\n  gone: viewer\n  nobody: viewer\n  pi: viewer\n  1000: admin\ngroups:\n  gone: viewer\n  nogroup: admin\n",
		Member{Name: "bob", Roles: []string{"gone"}})
	var texts []string
	for _, w := range p.Warnings() {
		texts = append(texts, w.Error())
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{
		"access.yaml:2:3: the role idle allows nothing", "access.yaml:4:1: the hub knows no key, token or password of alice",
		"access.yaml: bob was given the role gone, which is not in the file", "access.yaml:6:1: this machine has no user gone",
		"access.yaml:7:1: user nobody is what the kernel says when it does not know the user", "access.yaml:9:1: pi and 1000 are the same user: access.yaml:8 counts",
		"access.yaml:11:1: this machine has no group gone", "access.yaml:12:1: group nogroup is what the kernel says",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("no %q in\n%s", want, all)
		}
	}
	if len(texts) != 8 {
		t.Errorf("%d warnings", len(texts))
	}
	if ok, _ := p.May(User(1000, nil), verb.Admin, "", ""); ok {
		t.Error("the second line about a user counts")
	}
}

// TestLoad: what may be a file, and what may not; nothing takes long.
func TestLoad(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string, mode os.FileMode) string {
		must(t, errors.Join(os.WriteFile(at(name), []byte(text), mode), os.Chmod(at(name), mode)))
		return at(name)
	}
	good := write("good", "users: {pi: admin}\n", 0o644)
	must(t, os.Symlink(good, at("link")))
	must(t, os.Symlink("/dev/zero", at("zero")))
	must(t, syscall.Mkfifo(at("pipe"), 0o600))
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c <= 'z'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 9), ",") + "]\n"
	}
	for file, want := range map[string]string{
		good: "", at("link"): "", at("none"): "no such file", at("zero"): "this is a device", at("pipe"): "this is a pipe", dir: "this is a folder",
		write("empty", "", 0o644): "the file is empty", write("half", "users:\n  pi: [adm", 0o644): "half:2:7: this [ is not closed",
		write("half2", "users:\n  pi: adm", 0o644): `there is no role "adm"`, write("half3", "users:\n  pi", 0o644): "half3:2:3: ",
		write("large", strings.Repeat("# 10 MB\n", 10<<17), 0o644): "more than 262144 bytes", write("bomb", bomb, 0o644): "anchors are not supported",
		write("writable", "users: {pi: admin}\n", 0o666): "others may write to the file", write("binary", "\x7fELF\x00", 0o644): "a byte 0",
		write("utf16", "\xff\xfeu\x00", 0o644): "UTF-16",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, err := Load(file)
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file)) {
			t.Errorf("%s: %v, want %q", file, err, want)
		}
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 64<<20 || took > 10*time.Second {
			t.Errorf("%s took %s and %d MiB", file, took, allocated>>20)
		}
	}
	if os.Geteuid() != 0 { // root reads everything
		if _, err := Load(write("secret", "{}", 0)); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Error(err)
		}
	}
}

// FuzzRules: no file makes the parser panic, and no file gives anything to somebody whom it does not name.
func FuzzRules(f *testing.F) {
	f.Add([]byte("roles: {a: [{listen: {sender: \"green*\", event: \"*\"}}, admin]}\nidentities: {alice: [a, viewer]}\nusers: {pi: admin}\ngroups: {sighub: sender}\naddresses: {10.0.0.0/8: a}\ndevices: known\n"))
	f.Add([]byte("{}"))
	f.Add([]byte("roles:\n  a:\n    - request: {sender: '\\*', method: 1}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse("x", data)
		if err != nil {
			if err.Error() == "" || !strings.HasPrefix(err.Error(), "x") {
				t.Errorf("%v", err)
			}
			return
		}
		p, err := Compile(r, []Member{{Name: "mallory-9"}}, machine)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "mallory-9") {
			return
		}
		for _, who := range []string{"", "mallory-9", User(4711, []int{4711}), "nobody-9"} {
			for _, v := range verb.All() {
				if ok, rule := p.May(who, v, "", ""); ok && !strings.Contains(string(data), "4711") {
					t.Errorf("%s may %s by %s", who, v, rule)
				}
			}
		}
		p.Matrix()
		if changes := p.Diff(p); len(changes) != 0 {
			t.Errorf("%v", changes)
		}
	})
}
