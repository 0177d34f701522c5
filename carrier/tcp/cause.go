package tcp

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"sighub/carrier"
)

var errStranger = carrier.NewRefusal("tcp: not a client", "stranger")

// cause says, as one of package carrier's errors, why a connection ended that failed with err.
func cause(err error) error {
	switch {
	case errors.Is(err, carrier.ErrMalformed), errors.Is(err, errStranger),
		errors.Is(err, carrier.ErrLimit), errors.Is(err, carrier.ErrTimeout),
		errors.Is(err, carrier.ErrShutdown), errors.Is(err, carrier.ErrClosed):
		return err
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
