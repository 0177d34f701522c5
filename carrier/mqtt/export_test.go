package mqtt

// Away returns how many sessions are kept in memory whose clients are away.
func (s *Server) Away() (n int) {
	for _, c := range s.all() {
		c.mu.Lock()
		if c.link == nil && c.queue != nil && !c.queue.since.IsZero() {
			n++
		}
		c.mu.Unlock()
	}
	return n
}

// WaitingWills returns how many wills wait for their clients to come back.
func (s *Server) WaitingWills() int {
	s.wills.mu.Lock()
	defer s.wills.mu.Unlock()
	return len(s.wills.list)
}

// Forget has the Server remove cursors.
func (s *Server) Forget(cursors ...string) { s.kept.forget(cursors) }

// SetNext has a session in memory go on behind a packet identifier.
func (s *Server) SetNext(client string, id uint16) {
	for _, c := range s.all() {
		if c.key.client == client {
			c.mu.Lock()
			c.queue.next = id
			c.mu.Unlock()
		}
	}
}
