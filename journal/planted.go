package journal

// moveCursors does nothing, unless a fault is planted: then cursors of listeners that have heard everything are moved behind the
// events of a commit before it is made.
func (j *Journal) moveCursors(count int) error {
	if !j.log.faults.cursorFirst || count == 0 {
		return nil
	}
	var w writer
	w.reset()
	for name, p := range j.Cursors() {
		if p.Sequence+1 == j.log.next {
			w.cursor(name, Position{j.log.epoch, p.Sequence + uint64(count)})
		}
	}
	if len(w.content) == 0 {
		return nil
	}
	f := frame{kind: kindData, times: never, content: w.content}
	first, err := j.log.append(f)
	f.epoch, f.first = j.log.epoch, first
	if err == nil {
		j.committed(&f)
	}
	return err
}
