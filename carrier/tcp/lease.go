package tcp

import "sighub/carrier"

// A lease takes from a client's account what its messages and replies need, in larger steps than these are. It is under the
// writer's lock, which is taken for each of them anyway: so most messages cost no access to the account. While nothing is
// held, nothing is leased.
type lease struct {
	account   *carrier.Account // nil: grants everything
	has, used int              // bytes
}

const leaseStep = 4 << 10

// take takes n bytes. The error wraps [carrier.ErrLimit].
func (l *lease) take(n int) error {
	need := l.used + n - l.has
	if need > 0 && l.account.Take(need+leaseStep) == nil {
		l.has += need + leaseStep
	} else if need > 0 {
		if err := l.account.Take(need); err != nil {
			return err
		}
		l.has += need
	}
	l.used += n
	return nil
}

// adopt takes over n bytes that were taken from the account already.
func (l *lease) adopt(n int) {
	l.has += n
	l.used += n
}

func (l *lease) give(n int) {
	if l.used -= n; l.used == 0 {
		l.account.Give(l.has)
		l.has = 0
	} else if excess := l.has - l.used - 2*leaseStep; excess > 0 {
		l.account.Give(excess)
		l.has -= excess
	}
}
