package verb

// A Policy decides who may do what at a hub. It never changes, and it may be asked from any goroutine and under locks of the hub's. So
// it neither waits nor uses the hub. access.Policy is one.
//
// If it has a method Known(identity string) bool, clients whose identity it does not know are disconnected.
type Policy interface {
	// May reports whether an identity may do something, and by which rule. An empty sender or name stands for any: then May
	// reports whether there is any for which it is allowed.
	May(identity string, v Verb, sender, name string) (ok bool, rule string)
	// Class returns the class of an identity. Those who may hear the same may share one.
	Class(identity string) uint16
	// Hears returns the classes that may hear an event: class c is bit c%64 of word c/64. It says the same as May does of Listen.
	Hears(sender, event string) (classes []uint64)
}
