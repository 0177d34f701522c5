package web

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"time"

	"sighub/carrier"
)

// body reads the value in the body of a request: JSON, or nothing, which is null.
func body(r *http.Request) (carrier.Value, error) {
	b, err := io.ReadAll(r.Body)
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); {
	case err != nil:
		if _, tooLarge := err.(*http.MaxBytesError); tooLarge { //nolint:errorlint // it is returned as it is
			return carrier.Value{}, err
		}
		return carrier.Value{}, problem(http.StatusBadRequest, "closed", "say all of it in time", "the body is not complete")
	case len(b) == 0:
		return carrier.Value{}, nil
	case kind != "application/json": // a page of somebody else can send other types without being asked
		return carrier.Value{}, problem(http.StatusUnsupportedMediaType, "malformed", "say Content-Type: application/json", "the body must be JSON")
	case !json.Valid(b):
		return carrier.Value{}, problem(http.StatusBadRequest, "malformed", "check quotes and brackets; a text is \"in quotes\"", "the body is not JSON")
	}
	v := carrier.RawValue(carrier.JSON, b)
	if err := v.Check("the body"); err != nil {
		return v, problem(http.StatusUnprocessableEntity, "value", "say a value that JSON and CBOR can both carry", "%v", err)
	}
	return v, nil
}

// request sends a request to a sender, and answers with its response.
func (s *Site) request(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	to, method := p.inPath("sender"), p.inPath("method")
	if err := p.end(); err != nil {
		return err
	}
	params, err := body(r)
	if err != nil {
		return err
	}
	response, err := s.ask(r, "request", carrier.Object{
		{Key: "sender", Value: to}, {Key: "method", Value: method}, {Key: "params", Value: params},
	})
	if err != nil {
		return err
	}
	return write(w, map[string]any{"response": response})
}

// removeTime is how long the hub may take to remove the sender of an event.
const removeTime = 5 * time.Second

// send sends one event, from a sender that is there for as long as it takes. It is answered when the hub has acknowledged the event.
func (s *Site) send(w http.ResponseWriter, r *http.Request) error {
	p := newParams(r)
	from, name, at := p.inPath("sender"), p.inPath("event"), p.text("time")
	if err := p.end(); err != nil {
		return err
	}
	data, err := body(r)
	if err != nil {
		return err
	}
	err = s.within(r, func(c *session) error {
		if _, err := c.call(r.Context(), "add_sender", carrier.Object{
			{Key: "sender", Value: from}, {Key: "events", Value: []string{name}}, {Key: "requests", Value: nil},
		}); err != nil {
			c.dirty = r.Context().Err() != nil
			return err
		}
		info := with(carrier.Object{{Key: "sender", Value: from}, {Key: "event", Value: name}}, "time", at)
		_, err := c.call(r.Context(), "signal", carrier.Object{{Key: "info", Value: info}, {Key: "data", Value: data}})
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), removeTime)
		defer cancel()
		if _, failed := c.call(ctx, "remove_sender", carrier.Object{{Key: "sender", Value: from}}); failed != nil {
			c.dirty = true
		}
		return err
	})
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
