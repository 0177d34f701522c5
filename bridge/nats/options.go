package nats

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"strings"
	"time"

	"sighub/bridge"
	"sighub/carrier"
	"sighub/journal"
)

// Options are those of a Bridge. Zero values are defaults, but for URL, Hub and Journal.
type Options struct {
	// URL is where the server is: nats://host:4222, tls://host:4222, or several of them, joined by commas.
	URL string
	// Name is the bridge's name, which is also that of its cursor in the journal: "nats" by default.
	Name string
	// Hub is the name of this hub among all hubs of the stream. No other hub may have it.
	Hub string

	TLS         TLS
	Credentials Credentials

	// Prefix is the first token of all subjects: "sighub" by default.
	Prefix string
	Stream Stream

	// Takes says which events go up. Nil: all that the journal keeps.
	Takes func(sender, event string) bool
	// First says whose events go up before all others, however many of those wait: see [bridge.Options.First].
	First []func(sender string) bool
	// Live has what happens now go up before what waits after an outage. That follows, marked as late. Else everything goes up in order.
	Live bool
	// Rate is how many events a second go up at the most; 0: as many as there are.
	Rate float64
	// Quiet has no events go up.
	Quiet bool

	// Hear says which other hubs are heard. Nil: none.
	Hear func(hub string) bool
	// Naming is what a far sender is called here; {device} stands for its hub, and {sender} for its name there. By default
	// "{device}.{sender}".
	Naming string
	// May is what other hubs may ask of this one. Only [carrier.RightRequest] has a meaning: their requests reach the senders here.
	May carrier.Rights
	// Identity is by what the rules of this hub know the other side of the bridge.
	Identity string

	// Beat is how often the hub says that it is there: each 5 s by default. Others take it to be gone after three times as long.
	Beat time.Duration
	// Timeout is how long the server may take to answer: 5 s by default.
	Timeout time.Duration

	Journal *journal.Journal // the hub's; nil: no events go up
	Start   journal.Start    // of a new cursor
	Logger  *slog.Logger
}

// TLS says how the server is known, and this hub to it, by names of PEM files. Empty: the system's authorities, and no certificate.
type TLS struct {
	CA, Certificate, Key string
}

// Credentials are the names of files with what proves who the hub is. One of them at most is set, or User with Password.
type Credentials struct {
	Creds    string // a NATS credentials file, with a JWT and a seed
	NKey     string // a seed
	Token    string // a token
	User     string // the name itself
	Password string // of the user
}

// A Stream is what holds the events at the server. One that is there keeps its limits; one that is not is made with these.
type Stream struct {
	Name     string        // "sighub" by default
	MaxBytes int64         // 1 GiB by default
	MaxAge   time.Duration // 7 days by default; negative: any
	Replicas int           // 1 by default
	Existing bool          // it is never made or changed
}

func (o Options) withDefaults() (Options, error) {
	o.Name = cmp.Or(o.Name, "nats")
	o.Prefix = cmp.Or(o.Prefix, "sighub")
	o.Stream.Name = cmp.Or(o.Stream.Name, "sighub")
	o.Stream.MaxBytes = cmp.Or(o.Stream.MaxBytes, 1<<30)
	o.Stream.MaxAge = max(cmp.Or(o.Stream.MaxAge, 7*24*time.Hour), 0)
	o.Stream.Replicas = cmp.Or(o.Stream.Replicas, 1)
	o.Naming = cmp.Or(o.Naming, "{device}.{sender}")
	o.Beat = cmp.Or(o.Beat, 5*time.Second)
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, errors.Join(CheckURL(o.URL), CheckHub(o.Hub), checkPrefix(o.Prefix), checkStream(o.Stream.Name), o.Credentials.check(), checkFirst(len(o.First)))
}

func checkFirst(n int) error {
	if n > bridge.MaxFirst {
		return fmt.Errorf("nats: first has %d entries: write %d at most, with * for several senders", n, bridge.MaxFirst)
	}
	return nil
}

// CheckURL returns an error unless each part of a text, between commas, is the address of a NATS server.
func CheckURL(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		u, err := url.Parse(strings.TrimSpace(part))
		switch {
		case err != nil:
			return fmt.Errorf("nats: %s is not the address of a server: write nats://host:4222 or tls://host:4222", shown(part))
		case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
			return fmt.Errorf("nats: the address %s begins with neither nats:// nor tls://", shown(part))
		case u.Hostname() == "":
			return fmt.Errorf("nats: the address %s has no host", shown(part))
		case u.User != nil:
			return fmt.Errorf("nats: the address of %s has a password or a token: put it into a file, and name that under credentials", u.Hostname())
		}
	}
	return nil
}

// longestHub is the length of a hub's name, in bytes.
const longestHub = 64

// CheckHub returns an error unless a hub can have that name.
func CheckHub(name string) error {
	if name == "" || len(name) > longestHub || token(name) != name || strings.ContainsAny(name, "/\"{}") {
		return fmt.Errorf("nats: %s cannot be the name of a hub: write 1 to %d letters, digits, - or _", shown(name), longestHub)
	}
	return nil
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func checkPrefix(text string) error {
	if plainName.MatchString(text) {
		return nil
	}
	return fmt.Errorf("nats: %s cannot be the beginning of subjects: write letters, digits, - or _", shown(text))
}

func checkStream(text string) error {
	if plainName.MatchString(text) {
		return nil
	}
	return fmt.Errorf("nats: %s cannot be the name of a stream: write letters, digits, - or _", shown(text))
}

func (c *Credentials) check() error {
	n := 0
	for _, file := range []string{c.Creds, c.NKey, c.Token, c.User} {
		if file != "" {
			n++
		}
	}
	switch {
	case n > 1:
		return errors.New("nats: more than one kind of credentials is given: leave one of creds, nkey, token and user")
	case (c.User == "") != (c.Password == ""):
		return errors.New("nats: user and password belong together")
	}
	return nil
}
