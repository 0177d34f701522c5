package config

import (
	"strings"
	"testing"
	"time"

	"sighub/carrier"
)

func TestBridges(t *testing.T) {
	c, err := Parse("x", []byte(`
bridges:
  nats:
    url: tls://server:4222
    hub: kitchen
    size: 2GiB
    age: 30d
    send: [light, "*:temp"]
    except: "*:debug"
    first: [siren, "pump*"]
    order: live
    rate: 100
    hear: "*"
    may: request
    beat: 30s
    creds: /etc/x.creds
`))
	if err != nil {
		t.Fatal(err)
	}
	n := c.Bridges.NATS
	if n.URL != "tls://server:4222" || n.Hub != "kitchen" || n.Size != 2<<30 || n.Age != 30*24*time.Hour || n.Rate != 100 || n.Order != OrderLive || n.From != FromStart ||
		n.May != carrier.RightRequest || n.Beat != 30*time.Second || n.Creds != "/etc/x.creds" {
		t.Errorf("%+v", n)
	}
	if s := n.Sends(); !s.Takes("light", "lux", false) || s.Takes("door", "open", false) || s.Takes("light", "debug", false) {
		t.Error("what goes up is not what was asked for")
	}
	if f := n.Firsts(); len(f) != 2 || !f[0]("siren") || f[0]("pump1") || !f[1]("pump1") || f[1]("light") || (&NATS{}).Firsts() != nil {
		t.Error("whose events go first is not what was asked for")
	}
	if !n.Hears()("anybody") || (&NATS{}).Hears() != nil || (&NATS{}).Sends() != nil {
		t.Error("who is heard is not who was asked for")
	}
	for text, want := range map[string]string{
		"{nats: {hub: x}}":                                           "no url",
		"{nats: {url: 'http://x'}}":                                  "neither nats:// nor tls://",
		"{nats: {url: 'nats://a:b@x'}}":                              "put it into a file",
		"{nats: {url: 'nats://x', hub: a.b}}":                        "name of a hub",
		"{nats: {url: 'nats://x', rate: -1}}":                        "out of range",
		"{nats: {url: 'nats://x', order: late}}":                     "order",
		"{nats: {url: 'nats://x', rate: many}}":                      "rate",
		"{nats: {url: 'nats://x', beat: 1ms}}":                       "out of range",
		"{nats: {url: 'nats://x', may: list}}":                       "nothing else",
		"{nats: {url: 'nats://x', from: never}}":                     "from",
		"{nats: {url: 'nats://x', naming: '{sender}'}}":              "{device}",
		"{nats: {url: 'nats://x', creds: /a, token: /b}}":            "more than one",
		"{nats: {url: 'nats://x', prefix: a.b}}":                     "beginning of subjects",
		"{nats: {url: 'nats://x', hear: [a.b]}}":                     "name of a hub",
		"{nats: {url: 'nats://x', first: ['*:alarm']}}":              "the sender alone",
		"{nats: {url: 'nats://x', first: [a, b, c, d, e, f, g, h]}}": "7 at most",
		"{kafka: {}}": "not a key",
	} {
		if _, err := Parse("x", []byte("bridges: "+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestJoin(t *testing.T) {
	c := Default()
	if err := c.Join(""); err != nil || c.Bridges.NATS != nil {
		t.Errorf("nothing joins: %v", err)
	}
	if err := c.Join("nats://x:4222,nats://y:4222?hub=kitchen&hear=*&may=request&creds=/a%20b&from=now&send=light,*:temp"); err != nil {
		t.Fatal(err)
	}
	n := c.Bridges.NATS
	if n.URL != "nats://x:4222,nats://y:4222" || n.Hub != "kitchen" || n.Creds != "/a b" || n.From != FromNow || len(n.Send) != 2 || n.Hears() == nil {
		t.Errorf("%+v", n)
	}
	for text, want := range map[string]string{
		"x": "nats://", "nats://x?hub=": "name of a hub", "nats://x?colour=red": "there is no", "nats://x?from=then": "start or now",
		"nats://x?may=all": "nothing else", "nats://x?send=:": "SENDER:EVENT", "nats://x?creds=a&token=b": "more than one", "nats://x?hub=%zz": "escape",
	} {
		if err := Default().Join(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
