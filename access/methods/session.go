package methods

import (
	"context"
	"errors"
	"fmt"

	"rsc.io/qr"

	"sighub/access"
	"sighub/carrier"
)

func (m *methods) beginSession(ctx context.Context, _ carrier.Value) (any, error) {
	if m.Control == nil {
		return nil, errNone
	}
	secret, err := m.Control.BeginSession(m.Caller(ctx).Who)
	if err != nil {
		return nil, err
	}
	return Session{secret}, nil
}

func (m *methods) endSession(_ context.Context, v carrier.Value) (any, error) {
	var s Session
	if m.Control == nil {
		return nil, errNone
	}
	if err := v.Decode(&s); err != nil || s.Token == "" {
		return nil, errors.New("the arguments are not understood: say token, which is that of the session")
	}
	if who := m.Control.EndSession(s.Token); who != "" { // whoever has the secret may
		m.Ended(who, s.Token)
	}
	return nil, nil //nolint:nilnil // there is nothing to say
}

// mostQR is how many bytes a QR code on a screen may have: with more of them, a phone does not read it from an arm's length.
const mostQR = 512

func (m *methods) drawQR(_ access.Actor, d Drawing) (any, error) {
	if d.Text == "" || len(d.Text) > mostQR {
		return nil, fmt.Errorf("a QR code has 1 to %d bytes, and not %d", mostQR, len(d.Text))
	}
	code, err := qr.Encode(d.Text, qr.L) // a screen does no harm that would need more correction
	if err != nil {
		return nil, err
	}
	var out Drawing
	for y := range code.Size {
		row := make([]byte, code.Size)
		for x := range row {
			row[x] = '.'
			if code.Black(x, y) {
				row[x] = '#'
			}
		}
		out.Rows = append(out.Rows, string(row))
	}
	return out, nil
}
