package identities

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"sighub/access/internal/trusted"
	"sighub/internal/lockrank"
)

// The names of the files in the folder.
const (
	FileName = "identities.json"
	lockName = "identities.lock"
)

// Options say how a Store works. The zero value is right for a hub.
type Options struct {
	Now func() time.Time // time.Now by default
}

// A Store keeps the identities of a hub. Its methods may be called from any goroutine.
type Store struct {
	file    string
	now     func() time.Time
	lock    *os.File
	damage  *DamagedError // nil: the file was read
	turn    turn
	state   atomic.Pointer[state]
	unsaved atomic.Bool // the file lacks something

	changes lockrank.Mutex[lockrank.Leaf] // held while something is changed and written, and never by a login
	closed  bool
}

// A DamagedError says that the file cannot be used. It was left as it is.
type DamagedError struct {
	File string
	Err  error
}

func (e *DamagedError) Error() string {
	what := "is damaged"
	if e.mayBeWhole() {
		what = "cannot be used"
	}
	return fmt.Sprintf("%s %s (%v), so nobody can log in by key, token or password: %s", e.File, what, e.Err, e.Remedy())
}

// Remedy says what to do about it.
func (e *DamagedError) Remedy() string {
	if e.mayBeWhole() {
		user := os.Geteuid()
		for _, owner := range ownersOf(filepath.Dir(e.File)) {
			user = owner
		}
		return fmt.Sprintf("look whether it is right, then chown %d %s && chmod 600 %s, and start the hub again", user, e.File, e.File)
	}
	return "put back a copy of it, or move it away and pair everybody again"
}

// mayBeWhole reports whether the file could not be read, because of whom it belongs to, or who may change it.
func (e *DamagedError) mayBeWhole() bool { return errors.Is(e.Err, fs.ErrPermission) }

// Unwrap returns what is wrong with the file.
func (e *DamagedError) Unwrap() error { return e.Err }

// Open opens the identities in a folder, which it makes if it is not there. If the file is damaged it returns both a Store, which lets
// nobody in and changes nothing, and a [*DamagedError]. Otherwise the error is ErrBusy, or says what is wrong with the folder.
func Open(folder string, o Options) (*Store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of the identities: %w", err)
	}
	lock, err := takeLock(filepath.Join(folder, lockName))
	if err != nil {
		return nil, err
	}
	s := &Store{file: filepath.Join(folder, FileName), now: o.Now, lock: lock, turn: newTurn()}
	if s.now == nil {
		s.now = time.Now
	}
	st, err := read(s.file, true)
	if err != nil {
		s.damage = &DamagedError{s.file, err}
		st = new(state)
	}
	s.state.Store(st)
	if s.damage != nil {
		return s, s.damage
	}
	return s, nil
}

// read reads a file; one that is not there has nobody. One that others can read is made private by whoever writes it.
func read(file string, writes bool) (*state, error) {
	data, info, err := trusted.Read(file, maxFile, ownersOf(filepath.Dir(file))...)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("it is a link that leads nowhere")
		}
		return new(state), nil
	case err != nil:
		return nil, err
	}
	st, err := parse(data)
	if err == nil && writes && info.Mode().Perm()&0o077 != 0 {
		if err = os.Chmod(file, 0o600); errors.Is(err, fs.ErrPermission) {
			err = replace(file, data) // it is root's, who has put back a copy
		}
	}
	return st, err
}

// Read returns the identities in a folder as they were last written. It needs no lock, so a hub may run.
func Read(folder string) ([]Identity, error) {
	st, err := read(filepath.Join(folder, FileName), false)
	if err != nil {
		return nil, &DamagedError{filepath.Join(folder, FileName), err}
	}
	return st.copies(), nil
}

// List returns all identities, by name.
func (s *Store) List() []Identity { return s.state.Load().copies() }

func (s *state) copies() []Identity {
	list := make([]Identity, len(s.list))
	for i, id := range s.clone().list {
		list[i] = *id
	}
	return list
}

// Find returns the identity of a name.
func (s *Store) Find(name string) (Identity, bool) {
	if id := s.state.Load().find(name); id != nil {
		same := *id
		same.Roles, same.Credentials = slices.Clone(id.Roles), slices.Clone(id.Credentials)
		return same, true
	}
	return Identity{}, false
}

// change changes the identities by a function, which may fail, and writes them.
func (s *Store) change(f func(next *state, now time.Time) error) error {
	s.changes.Lock()
	defer s.changes.Unlock()
	if err := s.usable(); err != nil {
		return err
	}
	next := s.state.Load().clone()
	if err := f(next, s.now().UTC().Truncate(time.Second)); err != nil {
		return err
	}
	if err := next.check(); err != nil {
		return err
	}
	if err := s.save(next); err != nil {
		return err
	}
	s.state.Store(next)
	return nil
}

// usable returns an error if nothing can be changed.
func (s *Store) usable() error {
	switch {
	case s.damage != nil:
		return s.damage
	case s.closed:
		return errors.New("identities: closed")
	}
	return nil
}

// save writes a state. Whoever calls holds the lock.
func (s *Store) save(st *state) error {
	s.unsaved.Store(false) // before it is packed: what is used from here on is unsaved
	err := s.write(st)
	if err != nil {
		s.unsaved.Store(true)
	}
	return err
}

func (s *Store) write(st *state) error {
	data, err := st.pack()
	if err != nil {
		return err
	}
	if len(data) > maxFile {
		return fmt.Errorf("%s would have more than %d bytes: remove identities that are revoked", s.file, maxFile)
	}
	if err := replace(s.file, data); err != nil {
		return fmt.Errorf("the identities cannot be written: %w", err)
	}
	return nil
}

// Flush writes when credentials were last used, if that has changed.
func (s *Store) Flush() error {
	s.changes.Lock()
	defer s.changes.Unlock()
	return s.flush()
}

func (s *Store) flush() error {
	if s.unsaved.Load() && s.usable() == nil {
		return s.save(s.state.Load())
	}
	return nil
}

// Close writes what is not written yet, and lets others open the identities.
func (s *Store) Close() error {
	s.changes.Lock()
	defer s.changes.Unlock()
	if s.closed {
		return nil
	}
	err := s.flush()
	s.closed = true
	return errors.Join(err, s.lock.Close())
}
