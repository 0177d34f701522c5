package fault

// step puts the next byte on the wire.
func (l *Line) step() {
	switch {
	case len(l.boot) > 0:
		b := l.boot[0]
		l.boot = l.boot[1:]
		l.stats.Printed++
		l.arrive(b)
	case len(l.again) > 0:
		b := l.again[0]
		l.again = l.again[1:]
		l.damage(b)
	default:
		b := l.fifo.pop()
		l.stats.Bytes++
		l.framed(b)
	}
}

// framed does the harm to a byte that is done to its frame.
func (l *Line) framed(b byte) {
	if b == 0 {
		if l.inside && !l.dropping {
			l.stats.Frames++
		}
		if l.keep {
			l.stats.Repeated++
			l.frame = append(l.frame, 0)
			l.again = l.frame
		}
		l.inside, l.dropping, l.keep, l.frame = false, false, false, nil
		l.damage(b)
		return
	}
	if !l.inside {
		l.inside = true
		l.dropping, l.keep = l.drop.hit(), l.repeated.hit()
		if l.dropping {
			l.stats.Frames++
			l.stats.Dropped++
			l.keep = false
		}
	}
	if l.dropping {
		l.pass()
		return
	}
	if l.keep = l.keep && len(l.frame) < maxRepeat; l.keep {
		l.frame = append(l.frame, b)
	}
	l.damage(b)
}

// damage does the harm to a byte that is done to single bytes.
func (l *Line) damage(b byte) {
	if l.insert.hit() {
		l.stats.Inserted++
		l.arrive(byte(l.noise.Uint32()))
	}
	if l.lose.hit() {
		l.stats.Lost++
		l.pass()
		return
	}
	for bit := range 8 {
		if l.flip.hit() {
			l.stats.Flipped++
			b ^= 1 << bit
		}
	}
	l.arrive(b)
	if l.double.hit() {
		l.stats.Doubled++
		l.arrive(b)
	}
}
