package formats

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"sighub/internal/safetext"
)

// jsonParser takes a line for an object.
type jsonParser struct{}

// Parse implements [Parser]. The library checks the line as a whole; the walker then need not fear malformed JSON.
func (jsonParser) Parse(list []Event, line string, _ time.Time) ([]Event, error) {
	line, err := Text(line)
	switch {
	case err != nil:
		return list, err
	case line[0] != '{':
		return list, fmt.Errorf("%w: it is no JSON object", ErrForm)
	case !json.Valid([]byte(line)):
		return list, fmt.Errorf("%w: it is not a whole JSON object", ErrForm)
	}
	w := walker{rest: line, list: list, from: len(list)}
	if err := w.value("", 0); err != nil {
		return list, err
	}
	return w.list, nil
}

// A walker walks valid JSON, and appends an event for each value.
type walker struct {
	rest string // what is not walked yet
	list []Event
	from int
}

// next returns the next byte that is no white space, and stays before it.
func (w *walker) next() byte {
	w.rest = strings.TrimLeft(w.rest, " \t\r\n")
	return w.rest[0]
}

// skip goes beyond the next byte that is no white space.
func (w *walker) skip() {
	w.next()
	w.rest = w.rest[1:]
}

// value walks a value. Those in objects and arrays have names with dots.
func (w *walker) value(name string, depth int) error {
	switch c := w.next(); c {
	case '{', '[':
		return w.members(name, c+2, depth+1) // of both pairs of brackets in ASCII, the second is two further
	case '"':
		text, err := w.text()
		if err == nil && (len(text) > maxText || safetext.Check(text) != nil) {
			err = errText
		}
		return w.add(name, text, err)
	case 't':
		w.rest = w.rest[len("true"):]
		return w.add(name, true, nil)
	case 'f':
		w.rest = w.rest[len("false"):]
		return w.add(name, false, nil)
	case 'n':
		w.rest = w.rest[len("null"):]
		return nil
	}
	end := strings.IndexAny(w.rest, ",]} \t\r\n")
	n, err := strconv.ParseFloat(w.rest[:end], 64)
	if err != nil {
		err = errTooBig
	}
	w.rest = w.rest[end:]
	return w.add(name, n, err)
}

func (w *walker) members(prefix string, end byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: objects within objects, more than %d", ErrForm, maxDepth)
	}
	if prefix != "" {
		prefix += "."
	}
	w.skip()
	for i := 0; w.next() != end; i++ {
		if w.rest[0] == ',' {
			w.skip()
		}
		var name string
		if end == '}' {
			w.next()
			key, err := w.text()
			if err != nil {
				return err
			}
			w.skip() // the colon
			name = prefix + key
		} else {
			name = prefix + strconv.Itoa(i)
		}
		if err := w.value(name, depth); err != nil {
			return err
		}
	}
	w.skip()
	return nil
}

// text walks a text, whose first byte is the next one.
func (w *walker) text() (text string, err error) {
	end := 1
	for plain := true; ; end++ {
		switch w.rest[end] {
		case '\\':
			plain = false
			end++
		case '"':
			raw := w.rest[:end+1]
			w.rest = w.rest[end+1:]
			if plain {
				return raw[1:end], nil
			}
			if json.Unmarshal([]byte(raw), &text) != nil {
				return "", errors.New("formats: a text of valid JSON is not valid")
			}
			return text, nil
		}
	}
}

func (w *walker) add(name string, value any, err error) error {
	if err == nil {
		err = CheckName(name)
	}
	if err != nil {
		return &ValueError{Event: safetext.Short(name, maxName), Err: err}
	}
	w.list, err = appendOnce(w.list, w.from, Event{Name: name, Value: value})
	return err
}
