package tcp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"sighub/carrier"
	"sighub/listen"
)

var errStranger = carrier.NewRefusal("tcp: not a client", "stranger")

// cause says, as one of package carrier's errors, why a connection ended that failed with err.
func cause(err error) error {
	switch {
	case errors.Is(err, carrier.ErrMalformed), errors.Is(err, errStranger),
		errors.Is(err, carrier.ErrLimit), errors.Is(err, carrier.ErrTimeout), errors.Is(err, carrier.ErrDenied),
		errors.Is(err, carrier.ErrShutdown), errors.Is(err, carrier.ErrClosed):
		return err
	case errors.Is(err, listen.ErrMadeWay), errors.Is(err, listen.ErrTooMuch):
		return fmt.Errorf("%w: %w", carrier.ErrLimit, err)
	case errors.Is(err, listen.ErrLate):
		return fmt.Errorf("%w: %w", carrier.ErrTimeout, err)
	case errors.Is(err, io.EOF):
		return carrier.ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded),
		errors.Is(err, syscall.ETIMEDOUT),
		errors.Is(err, syscall.EHOSTUNREACH),
		errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("%w: %w", carrier.ErrTimeout, err)
	default:
		return fmt.Errorf("%w: %w", carrier.ErrClosed, err)
	}
}

func tooLarge(size uint64, limit int) error {
	return fmt.Errorf("%w: %d bytes or more, the limit is %d", carrier.ErrTooLarge, size, limit)
}

// countedBelow reports whether the connection was ended by those who accepted it, and counted there.
func countedBelow(err error) bool {
	return errors.Is(err, listen.ErrMadeWay) || errors.Is(err, listen.ErrLate)
}
