package nats

import (
	"reflect"
	"strings"
	"testing"
)

// TestToken: a name and its token stand for each other, and the token is one.
func TestToken(t *testing.T) {
	for name, want := range map[string]string{
		"light": "light", "": "-", "-": "%2D", "--": "--", "a.b": "a%2Eb", "a b": "a%20b", "*": "%2A", "a>": "a%3E", "50%": "50%25", "küche": "küche",
		"#connect": "#connect", "a\tb\n": "a%09b%0A", "%2D": "%252D",
	} {
		if got := token(name); got != want {
			t.Errorf("%q becomes %s, want %s", name, got, want)
		}
		if got, err := untoken(want); err != nil || got != name {
			t.Errorf("%s becomes %q, %v, want %q", want, got, err, name)
		}
	}
	for _, bad := range []string{"%", "%2", "%2g", "a%", "%zz"} {
		if got, err := untoken(bad); err == nil {
			t.Errorf("%s becomes %q", bad, got)
		}
	}
	for _, bad := range []string{"", "sighub", "sighub.a.b.c", "sighub.a.b.c.d.e", "sighub.a.b.c.d.late.late", "other.a.b.c.d", "sighub.a.b.c.%"} {
		if got, err := parseSubject("sighub", bad); err == nil {
			t.Errorf("%s becomes %+v", bad, got)
		}
	}
}

func FuzzSubject(f *testing.F) {
	f.Add("kitchen", "aa55", "light.1", "#connect")
	f.Add("-", "", "%2E", "a b>*")
	f.Add("-", "late", "1/449 1/5000-1/5213 2/1-2/1 +2/5", "late")
	f.Fuzz(func(t *testing.T, hub, device, sender, event string) {
		p := place{hub, device, sender, event, len(sender)%2 == 1}
		tokens := map[bool]int{false: 5, true: 6}[p.late]
		subject := p.subject("sighub")
		if strings.ContainsAny(subject, " *>\t\r\n") || strings.Count(subject, ".")+1 != tokens || strings.Contains(subject, "..") {
			t.Errorf("%+v has the subject %q", p, subject)
		}
		if got, err := parseSubject("sighub", subject); err != nil || got != p {
			t.Errorf("%q is %+v, %v; want %+v", subject, got, err, p)
		}
		_, _ = parseSubject("sighub", hub) // whatever it is
		if at, err := parsePosition(sender); err == nil && formatPosition(at) != sender && len(sender) < 3 {
			t.Errorf("%q is the position %v", sender, at)
		}
		if sent, own, err := parseSent(sender); err == nil {
			again, ownAgain, err := parseSent(formatSent(&sent, own))
			if err != nil || !reflect.DeepEqual(again, sent) || ownAgain != own {
				t.Errorf("%q is %+v, and then %+v, %v", sender, sent, again, err)
			}
		}
		r := parseRecord(device)
		if again := parseRecord(strings.TrimPrefix(string(r.append(nil)), " ")); r.journal != "" && !reflect.DeepEqual(again.append(nil), r.append(nil)) {
			t.Errorf("%q is %+v, and then %+v", device, r, again)
		}
		_ = readReply([]byte(event))
	})
}

// TestOptions: what is wrong is told before anything is opened.
func TestOptions(t *testing.T) {
	good := Options{URL: "nats://localhost:4222,tls://x:4222", Hub: "kitchen-1"}
	if _, err := New(good); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.URL = "" }, "nats://"},
		{func(o *Options) { o.URL = "http://x" }, "begins with neither"},
		{func(o *Options) { o.URL = "nats://:4222" }, "no host"},
		{func(o *Options) { o.URL = "nats://a:secret@x:4222" }, "put it into a file"},
		{func(o *Options) { o.Hub = "a.b" }, "name of a hub"},
		{func(o *Options) { o.Hub = "" }, "name of a hub"},
		{func(o *Options) { o.Hub = strings.Repeat("x", 65) }, "name of a hub"},
		{func(o *Options) { o.Prefix = "a.b" }, "beginning of subjects"},
		{func(o *Options) { o.Stream.Name = "a b" }, "name of a stream"},
		{func(o *Options) { o.Credentials = Credentials{Creds: "a", Token: "b"} }, "more than one"},
		{func(o *Options) { o.Credentials = Credentials{User: "a"} }, "belong together"},
	} {
		o := good
		test.change(&o)
		_, err := New(o)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s", o, err, test.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Errorf("a password is told: %v", err)
		}
	}
	if got := where("nats://a:secret@x:4222,tls://y"); got != "nats://x:4222,tls://y" {
		t.Errorf("an address is told as %s", got)
	}
}

// TestMark: a mark says what was written, and a damaged text is not a mark.
func TestMark(t *testing.T) {
	stream, at, rest, ok := splitMark(append(formatMark("one", spot{1 << 63, 7}), " more of it"...))
	if stream != "one" || at != (spot{1 << 63, 7}) || rest != "more of it" || !ok {
		t.Error(stream, at, rest, ok)
	}
	if stream, at, rest, ok = splitMark([]byte("one 5")); stream != "one" || at != (spot{number: 5}) || rest != "" || !ok {
		t.Error("of an older version:", stream, at, rest, ok)
	}
	for _, mark := range []string{"", "one", "one ", "one x", "one -1", "one 1 x", "one 18446744073709551616"} {
		if _, _, _, ok := splitMark([]byte(mark)); ok {
			t.Errorf("%q is a mark", mark)
		}
	}
}
