package main

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"sighub/carrier"
	"sighub/hub"
	"sighub/internal/address"
	"sighub/internal/config"
	"sighub/internal/plain"
	"sighub/internal/safetext"
	"sighub/internal/terminal"
	"sighub/listen/keys"
)

type certCommand struct {
	hubFlags
	State  string `placeholder:"DIR" help:"Do not ask the hub, but look into the folder that it was given with --state."`
	Output string `short:"o" enum:"text,json,pin" default:"text" help:"text; json: one object; or pin: the pin alone."`
}

// Help is what --help says in full.
func (*certCommand) Help() string {
	return `The pin is the beginning of the SHA-256 of the hub's key. Whoever connects with it, as in tls://host:port/PIN, cannot be deceived by
anybody in between. So ask for it on the machine of the hub itself. The lines before the certificate, which begin with #, do no harm to
programs that read it.

Examples:

    sighub cert
    ssh pi sighub cert >hub.pem
    sighub listen '*' '*' --hub tls://pi.local:3000/$(ssh pi sighub cert --output pin)`
}

// methodCertificate is the method of the hub that returns a certificateInfo. It takes no parameters.
const methodCertificate = "certificate"

// A certificateInfo is what a hub shows in TLS.
type certificateInfo struct {
	PEM string `json:"pem,omitempty"` // empty: TLS is not spoken
}

// certificateMethod adds the method by which clients learn of the hub's certificate.
func certificateMethod(c *keys.Certificate, others map[string]hub.Method) map[string]hub.Method {
	others[methodCertificate] = func(context.Context, carrier.Value) (any, error) {
		if c == nil {
			return certificateInfo{}, nil
		}
		return certificateInfo{PEM: string(c.PEM())}, nil
	}
	return others
}

// Run prints the hub's certificate.
func (c *certCommand) Run(ctx context.Context, s *streams) error {
	if c.State != "" {
		leaf, err := keys.ReadOwn(filepath.Join(c.State, "tls"))
		if err != nil {
			return fmt.Errorf("no certificate of a hub is in %s: %s", c.State, plain.Text(err.Error()))
		}
		return c.print(s.out, leaf, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Raw}))
	}
	return c.with(ctx, s, "sighub cert", func(ctx context.Context, r *hub.ClientRouter) error {
		v, err := r.Call(ctx, methodCertificate, nil)
		if err != nil {
			return err
		}
		var info certificateInfo
		if err := v.Decode(&info); err != nil {
			return err
		}
		if info.PEM == "" {
			return errors.New("the hub has no certificate: TLS is off at all of its addresses, or it has no folder for its key (see its log)")
		}
		block, _ := pem.Decode([]byte(info.PEM))
		if block == nil {
			return errors.New("the hub's certificate cannot be read")
		}
		leaf, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return fmt.Errorf("the hub's certificate cannot be read: %w", err)
		}
		if a, err := address.ParseHub(c.Hub); err == nil && !a.Local() && a.Network != "tls" {
			s.note("this came over clear text, so somebody in between may have changed it: ask on the machine of the hub itself")
		}
		return c.print(s.out, leaf, []byte(info.PEM))
	})
}

// shownCertificate is a certificate as it is printed in JSON.
type shownCertificate struct {
	Pin         string    `json:"pin"`
	PublicKey   string    `json:"public_key_sha256"`
	Fingerprint string    `json:"sha256"`
	Names       []string  `json:"names"`
	Until       time.Time `json:"until"`
	PEM         string    `json:"pem"`
}

func (c *certCommand) print(out io.Writer, leaf *x509.Certificate, text []byte) error {
	hash := keys.Hash(leaf)
	pin := keys.PinOf(hash).Short()
	names := append([]string(nil), leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	shown := fingerprint(sha256.Sum256(leaf.Raw))
	switch c.Output {
	case "pin":
		return terminal.Line(out, "%s", pin)
	case "json":
		return terminal.JSON(out, []shownCertificate{{pin.String(), fmt.Sprintf("%x", hash), shown, names, leaf.NotAfter.UTC(), string(text)}})
	}
	about := fmt.Sprintf("# %s\n# pin, as in tls://HOST:PORT/PIN: %s\n# SHA-256, as browsers show it: %s\n# names: %s\n# until: %s\n",
		safetext.Line(leaf.Subject.CommonName), pin, shown, safetext.Line(strings.Join(names, ", ")), leaf.NotAfter.UTC().Format(time.DateOnly))
	for line := range strings.Lines(about + string(text)) {
		if err := terminal.Line(out, "%s", strings.TrimRight(line, "\n")); err != nil {
			return err
		}
	}
	return nil
}

// fingerprint returns a hash as browsers show it: 3A:91:…
func fingerprint(hash [sha256.Size]byte) string {
	parts := make([]string, len(hash))
	for i, b := range hash {
		parts[i] = fmt.Sprintf("%02X", b)
	}
	return strings.Join(parts, ":")
}

// openCertificate returns what the hub shows in TLS; nil if it shows nothing. A hub that cannot have a certificate of its own goes
// on without TLS, unless it is configured to require it somewhere.
func openCertificate(cfg *config.Config, log *slog.Logger) (*keys.Certificate, error) {
	if cfg.TLS.Certificate != "" {
		return keys.Files(cfg.TLS.Certificate, cfg.TLS.Key, log)
	}
	wanted, required := false, ""
	for _, a := range cfg.Listen {
		wanted = wanted || a.TLS != "off"
		if a.TLS == "required" {
			required = a.String()
		}
	}
	if !wanted {
		return nil, nil //nolint:nilnil // without a certificate, TLS is not spoken
	}
	dir, err := cfg.State, error(nil)
	if dir == "" {
		dir, err = usualState()
	}
	if err == nil {
		var c *keys.Certificate
		if c, err = keys.Own(filepath.Join(dir, "tls"), log); err == nil {
			return c, nil
		}
	}
	if required != "" {
		return nil, fmt.Errorf("%s takes TLS only, and the hub has no certificate: %w", required, err)
	}
	log.Warn("TLS is not offered: the hub has no certificate", "folder", dir, "error", err)
	return nil, nil //nolint:nilnil // without a certificate, TLS is not spoken
}
