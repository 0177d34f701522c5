package access

import "sighub/access/internal/pattern"

// An index finds the rules that may match a sender: those for it alone by its name, and those with a star.
type index struct {
	exact map[string][]int
	wide  []int
}

func (x *index) add(p *pattern.Pattern, i int) {
	name, exact := p.Exact()
	if !exact {
		x.wide = append(x.wide, i)
		return
	}
	if x.exact == nil {
		x.exact = make(map[string][]int)
	}
	x.exact[name] = append(x.exact[name], i)
}

// Allowances are the rules of one verb, in the order of the roles.
type allowances struct {
	list []allowance
	index
}

func (l *allowances) add(a allowance) {
	l.index.add(&a.sender, len(l.list))
	l.list = append(l.list, a)
}

// first returns the first rule that allows something, or nil. An empty sender or name stands for any.
func (l *allowances) first(sender, name string) *allowance {
	var senders, names pattern.Buffer
	s, n := pattern.In(&senders, sender), pattern.In(&names, name)
	matches := func(a *allowance) bool {
		return (sender == "" || a.sender.Match(&s)) && (name == "" || a.name.Match(&n))
	}
	if sender == "" {
		for i := range l.list {
			if matches(&l.list[i]) {
				return &l.list[i]
			}
		}
		return nil
	}
	exact, wide := l.exact[sender], l.wide
	for len(exact) > 0 || len(wide) > 0 { // in their order
		from := &wide
		if len(wide) == 0 || len(exact) > 0 && exact[0] < wide[0] {
			from = &exact
		}
		if a := &l.list[(*from)[0]]; matches(a) {
			return a
		}
		*from = (*from)[1:]
	}
	return nil
}

// heard says who may hear what.
type heard struct {
	patterns []pair
	classes  []uint64 // of each pair, a set of words words
	words    int
	index
}

type pair struct{ sender, event pattern.Pattern }

// add adds a pair of patterns, which nobody may hear yet, and returns its index.
func (h *heard) add(a allowance) int {
	i := len(h.patterns)
	h.index.add(&a.sender, i)
	h.patterns = append(h.patterns, pair{a.sender, a.name})
	h.classes = append(h.classes, make([]uint64, h.words)...)
	return i
}

// Hears returns the classes that may hear an event: class c is bit c%64 of word c/64. The result is the caller's; it has the same
// length for all events. Whoever may hear any event of a sender may hear its #connect, #disconnect and #gap.
func (p *Policy) Hears(sender, event string) (classes []uint64) {
	if p == nil || p.rules == nil {
		return []uint64{0}
	}
	h := &p.hearing
	classes = make([]uint64, h.words)
	var senders, events pattern.Buffer
	s, e, own := pattern.In(&senders, sender), pattern.In(&events, event), isOwn(event)
	for _, i := range h.exact[sender] {
		h.hear(i, &e, own, classes)
	}
	for _, i := range h.wide {
		if h.patterns[i].sender.Match(&s) {
			h.hear(i, &e, own, classes)
		}
	}
	return classes
}

// hear adds those who may hear an event by a pair of patterns whose sender matches.
func (h *heard) hear(i int, event *pattern.Name, own bool, classes []uint64) {
	if !own && !h.patterns[i].event.Match(event) {
		return
	}
	for w, bits := range h.classes[i*h.words : (i+1)*h.words] {
		classes[w] |= bits
	}
}
