package profile

import (
	"cmp"
	"slices"

	"sighub/sensors/modbus/frame"
)

// A Block is a request and the registers that its answer has.
type Block struct {
	Request   frame.Request
	Registers []*Register // in the order of their addresses
}

// Data returns the part of the answer that belongs to a register that is no bit.
func (b *Block) Data(data []byte, r *Register) []byte {
	at := 2 * int(r.Address-b.Request.Address)
	return data[at : at+2*r.Words()]
}

// Bit returns the bit of the answer that belongs to a register that is one.
func (b *Block) Bit(data []byte, r *Register) bool {
	return frame.Bit(data, int(r.Address-b.Request.Address))
}

// Values calls f with what each register's value is in an answer, or why it has none.
func (b *Block) Values(data []byte, f func(r *Register, value any, err error)) {
	for _, r := range b.Registers {
		if r.Type == Bool {
			f(r, b.Bit(data, r), nil)
			continue
		}
		value, err := r.Value(b.Data(data, r))
		f(r, value, err)
	}
}

// Split returns a block for each register, for a device that does not answer for all of them at once.
func (b *Block) Split() (list []Block) {
	for _, r := range b.Registers {
		q := r.Request()
		if n := len(list); n > 0 && list[n-1].Request.Same(&q) { // bits of one register
			list[n-1].Registers = append(list[n-1].Registers, r)
			continue
		}
		list = append(list, Block{Request: q, Registers: []*Register{r}})
	}
	return list
}

// Plan returns the requests that read all registers: those of one kind and interval whose addresses follow each other are read together,
// also if no more than gap others lie between them, up to most words, or bits, at once; 0: as many as Modbus allows.
func Plan(registers []Register, most, gap int) (list []Block) {
	sorted := make([]*Register, len(registers))
	for i := range registers {
		sorted[i] = &registers[i]
	}
	slices.SortStableFunc(sorted, func(a, b *Register) int {
		return cmp.Or(cmp.Compare(a.Interval, b.Interval), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Address, b.Address))
	})
	for _, r := range sorted {
		if n := len(list); n > 0 && list[n-1].add(r, most, gap) {
			continue
		}
		list = append(list, Block{Request: r.Request(), Registers: []*Register{r}})
	}
	return list
}

// add adds a register whose address is not before the last one's, if it fits.
func (b *Block) add(r *Register, most, gap int) bool {
	limit := frame.MaxReadRegisters
	if r.Function.Bits() {
		limit = frame.MaxReadBits
	}
	if most > 0 {
		limit = min(limit, most)
	}
	q := &b.Request
	end := int(q.Address) + int(q.Count)
	more := max(end, int(r.Address)+r.Words())
	if r.Function != q.Function || r.Interval != b.Registers[0].Interval || int(r.Address) > end+gap || more-int(q.Address) > limit {
		return false
	}
	q.Count = uint16(more - int(q.Address))
	b.Registers = append(b.Registers, r)
	return true
}
