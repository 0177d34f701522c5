package hub

// Waiters are goroutines that wait for the same change. The lock that guards what changes guards them, too.
type waiters chan struct{}

// wait returns a channel that is closed when wake is called next.
func (w *waiters) wait() <-chan struct{} {
	if *w == nil {
		*w = make(chan struct{})
	}
	return *w
}

// wake wakes all who wait.
func (w *waiters) wake() {
	if *w != nil {
		close(*w)
		*w = nil
	}
}
