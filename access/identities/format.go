package identities

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"sighub/access/internal/naming"
	"sighub/internal/safetext"
)

// maxFile is the largest file that is read, in bytes. One with as many credentials as there may be has half of that.
const maxFile = 4 << 20

const version = 1

// The form of the file.
type (
	fileForm struct {
		Version    int            `json:"version"`
		Identities []identityForm `json:"identities"`
	}
	identityForm struct {
		Name        string           `json:"name"`
		Roles       []string         `json:"roles"`
		Created     time.Time        `json:"created"`
		Credentials []credentialForm `json:"credentials"`
	}
	credentialForm struct {
		ID       string     `json:"id"`
		Label    string     `json:"label,omitempty"`
		Created  time.Time  `json:"created"`
		Used     *time.Time `json:"used,omitempty"`
		Revoked  *time.Time `json:"revoked,omitempty"`
		Key      string     `json:"key_sha256,omitempty"`
		Token    string     `json:"token_sha256,omitempty"`
		Password string     `json:"password,omitempty"`
		Device   string     `json:"device,omitempty"`
	}
)

// pack returns a state as it is in the file.
func (s *state) pack() ([]byte, error) {
	f := fileForm{Version: version, Identities: []identityForm{}}
	for _, id := range s.list {
		form := identityForm{Name: id.Name, Roles: id.Roles, Created: id.Created, Credentials: []credentialForm{}}
		for _, c := range id.Credentials {
			form.Credentials = append(form.Credentials, c.form())
		}
		f.Identities = append(f.Identities, form)
	}
	data, err := json.MarshalIndent(f, "", "  ")
	return append(data, '\n'), err
}

func (c *Credential) form() credentialForm {
	f := credentialForm{ID: c.ID, Label: c.Label, Created: c.Created, Used: given(c.Used()), Revoked: given(c.Revoked)}
	switch c.Kind {
	case Key:
		f.Key = c.proof
	case Token:
		f.Token = c.proof
	case Password:
		f.Password = c.proof
	case Device:
		f.Device = c.proof
	}
	return f
}

func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// parse reads a file. It takes nothing that this package would not have written.
func parse(data []byte) (*state, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("it is empty")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var f fileForm
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("line %d: %s", line(data, d.InputOffset()), strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: something follows the end", line(data, d.InputOffset()))
	}
	if f.Version != version {
		return nil, fmt.Errorf("it has version %d, and this sighub knows version %d: use the sighub that wrote it, or a later one", f.Version, version)
	}
	s := new(state)
	for i := range f.Identities {
		id, err := f.Identities[i].identity()
		if err != nil {
			return nil, fmt.Errorf("identity %d, %s: %w", i+1, safetext.Short(f.Identities[i].Name, 80), err)
		}
		s.list = append(s.list, id)
	}
	slices.SortFunc(s.list, func(a, b *Identity) int { return cmp.Compare(a.Name, b.Name) })
	return s, s.check()
}

// line returns the line of an offset, from 1.
func line(data []byte, offset int64) int {
	return 1 + bytes.Count(data[:min(int64(len(data)), offset)], []byte{'\n'})
}

func (f *identityForm) identity() (*Identity, error) {
	id := &Identity{Name: f.Name, Roles: f.Roles, Created: f.Created.UTC()}
	if err := checkNames(f.Name, f.Roles); err != nil {
		return nil, err
	}
	for i := range f.Credentials {
		c, err := f.Credentials[i].credential()
		if err != nil {
			return nil, fmt.Errorf("credential %s: %w", safetext.Short(f.Credentials[i].ID, 40), err)
		}
		id.Credentials = append(id.Credentials, c)
	}
	return id, nil
}

// checkNames says what is wrong with the names of an identity and of its roles.
func checkNames(name string, roles []string) error {
	if err := naming.Check(name); err != nil {
		return err
	}
	if len(roles) > maxRoles {
		return fmt.Errorf("there are more than %d roles", maxRoles)
	}
	for _, r := range roles {
		if err := naming.Check(r); err != nil {
			return fmt.Errorf("role: %w", err)
		}
	}
	return nil
}

func (f *credentialForm) credential() (Credential, error) {
	c := Credential{ID: f.ID, Label: f.Label, Created: f.Created.UTC(), used: new(atomic.Int64)}
	if f.Used != nil {
		c.used.Store(f.Used.Unix())
	}
	if f.Revoked != nil {
		c.Revoked = f.Revoked.UTC()
		if c.Revoked.IsZero() {
			return c, errors.New("it is revoked at no time")
		}
	}
	for kind, proof := range map[Kind]string{Key: f.Key, Token: f.Token, Password: f.Password, Device: f.Device} {
		if proof == "" {
			continue
		}
		if c.Kind != "" {
			return c, fmt.Errorf("it is both a %s and a %s", min(c.Kind, kind), max(c.Kind, kind))
		}
		c.Kind, c.proof = kind, proof
	}
	return c, c.check()
}

// check checks a credential, and sets its hash.
func (c *Credential) check() error {
	if !isID(c.ID) {
		return errors.New("its id is not one")
	}
	if err := checkLabel(c.Label); err != nil {
		return err
	}
	switch c.Kind {
	case Key, Token:
		sum, err := hex.DecodeString(c.proof)
		if err != nil || copy(c.hash[:], sum) != len(c.hash) || len(sum) != len(c.hash) || c.proof != hex.EncodeToString(sum) {
			return errors.New("its SHA-256 is not 64 small hexadecimal digits")
		}
		if c.hash == ([32]byte{}) {
			return errors.New("its SHA-256 is zero, which stands for no key")
		}
	case Password:
		_, err := parsePassword(c.proof)
		return err
	case Device:
		return checkUID(c.proof)
	default:
		return errors.New("it is neither key, token, password nor device")
	}
	return nil
}

func checkLabel(label string) error {
	if len(label) > maxLabel {
		return fmt.Errorf("the label has more than %d bytes: shorten it", maxLabel)
	}
	if err := safetext.Check(label); err != nil {
		return fmt.Errorf("the label %w", err)
	}
	return nil
}

func checkUID(uid string) error {
	if uid == "" || len(uid) > maxUID {
		return fmt.Errorf("a device's uid has 1 to %d bytes, not %d", maxUID, len(uid))
	}
	if err := safetext.Check(uid); err != nil {
		return fmt.Errorf("the uid of the device: %w", err)
	}
	return nil
}

// check checks what concerns several identities.
func (s *state) check() error {
	if len(s.list) > MaxIdentities {
		return fmt.Errorf("there are more than %d identities: revoke and remove some", MaxIdentities)
	}
	if n := s.count(); n > MaxCredentials {
		return fmt.Errorf("there are %d credentials, more than %d: remove some", n, MaxCredentials)
	}
	seen := make(map[string]string)
	once := func(what, name string) error {
		if other, ok := seen[what]; ok {
			return fmt.Errorf("%s and %s have the same %s", other, name, what[:strings.IndexByte(what, ' ')])
		}
		seen[what] = name
		return nil
	}
	for _, id := range s.list {
		if err := once("name "+id.Name, id.Name); err != nil {
			return err
		}
		if len(id.Credentials) > maxEach {
			return fmt.Errorf("%s has more than %d credentials: remove some", id.Name, maxEach)
		}
		for _, c := range id.Credentials {
			proof := string(c.Kind) + " " + c.proof
			if c.Kind == Password {
				proof = "password of " + id.Name
			}
			if err := errors.Join(once("id "+c.ID, id.Name), once(proof, id.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}
