package carrier

import (
	"testing"
)

// signal is a reading on its way to a listener: 64 bytes as JSON.
func signal() *Message {
	return &Message{ID: ValueOf(12345), Method: "signal", Params: ValueOf(Object{{"listener_id", 3}, {"data", 512}})}
}

func BenchmarkPack(b *testing.B) {
	for _, name := range []string{"JSON", "CBOR", "CBORText"} {
		b.Run(name, func(b *testing.B) {
			m, buf := signal(), make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				data, err := m.AppendTo(buf, codecs[name])
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(data)))
			}
		})
	}
}

func BenchmarkUnpack(b *testing.B) {
	for _, name := range []string{"JSON", "CBOR", "CBORText"} {
		b.Run(name, func(b *testing.B) {
			data, err := signal().AppendTo(nil, codecs[name])
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Unpack(codecs[name], data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkForward is what a router does with a reading: it looks into the params, and packs the same data
// for the next listener.
func BenchmarkForward(b *testing.B) {
	for _, name := range []string{"JSON", "CBOR", "CBORText"} {
		b.Run(name, func(b *testing.B) {
			c := codecs[name]
			data, err := signal().AppendTo(nil, c)
			if err != nil {
				b.Fatal(err)
			}
			buf := make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				p, err := Unpack(c, data)
				if err != nil {
					b.Fatal(err)
				}
				var reading Value
				err = p.Message.Params.Fields(func(key string, v Value) error {
					if key == "data" {
						reading = v
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
				out := Message{ID: ValueOf(1), Method: "signal", Params: ValueOf(Object{{"listener_id", 4}, {"data", reading}})}
				if _, err := out.AppendTo(buf, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignalPack and BenchmarkSignalUnpack are the same for the stream of signals.
func BenchmarkSignalPack(b *testing.B) {
	for _, name := range []string{"JSON", "CBOR"} {
		b.Run(name, func(b *testing.B) {
			var packed PackedSignal
			var routes Routes
			s, route, buf := aSignal(codecs[name]), new(OutRoute), make([]byte, 0, 256)
			b.ReportAllocs()
			for b.Loop() {
				if err := packed.Pack(codecs[name], s); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(len(packed.AppendTo(buf, &routes, route))))
			}
		})
	}
}

func BenchmarkSignalUnpack(b *testing.B) {
	for _, name := range []string{"JSON", "CBOR"} {
		b.Run(name, func(b *testing.B) {
			c := codecs[name]
			var packed PackedSignal
			if err := packed.Pack(c, aSignal(c)); err != nil {
				b.Fatal(err)
			}
			var out Routes
			var in InRoutes
			var p SignalPacket
			route := &OutRoute{Route: Route{Sender: "light", Event: "lux"}}
			if err := in.Unpack(c, packed.AppendTo(nil, &out, route), &p); err != nil { // this one tells of the route
				b.Fatal(err)
			}
			data := packed.AppendTo(nil, &out, route)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if err := in.Unpack(c, data, &p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// aSignal is a reading that is passed on as it came.
func aSignal(c Codec) *Signal {
	data, _ := c.Append(nil, 512) // an integer can be packed
	return &Signal{Time: 1795644000123456789, Uncertainty: 1200000, Seq: 4711, Data: RawValue(c, data)}
}

func BenchmarkCheckValue(b *testing.B) {
	for name, v := range map[string]Value{
		"cbor number": RawValue(CBOR, []byte{0x18, 0x40}),
		"cbor bytes":  RawValue(CBOR, append([]byte{0x58, 64}, make([]byte, 64)...)),
		"cbor text":   RawValue(CBOR, []byte("\x65hello")), "json number": RawValue(JSON, []byte("21.5")),
		"cbor map": RawValue(CBOR, []byte("\xa2\x61t\xf9\x4d\x60\x61h\x83\x01\x02\x03")), "json map": RawValue(JSON, []byte(`{"t":21.5,"h":[1,2,3]}`)),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := v.Check("data"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
