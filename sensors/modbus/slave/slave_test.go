package slave_test

import (
	"bytes"
	"fmt"
	"net"
	"testing"

	"sighub/sensors/modbus/frame"
	"sighub/sensors/modbus/slave"
)

// A unit answers on a line, whatever else is there.
func Example() {
	bank := slave.NewBank()
	bank.Set(frame.ReadInput, 1, []byte{0x01, 0x31})
	near, far := net.Pipe()
	go func() { _ = (&slave.Bus{Units: map[byte]slave.Unit{1: bank}}).ServeRTU(far) }()
	_, _ = near.Write([]byte{0xff, 0x01, 0x04, 0x00, 0x01, 0x00, 0x01, 0x60, 0x0a})
	answer := make([]byte, 16)
	n, _ := near.Read(answer)
	fmt.Printf("% x\n", answer[:n])
	_ = near.Close()
	// Output: 01 04 02 01 31 79 74
}

// TestBank: what was written is read, and what is not there is refused.
func TestBank(t *testing.T) {
	b := slave.NewBank()
	b.Set(frame.ReadHolding, 5, []byte{0, 1, 0, 2})
	b.SetBit(frame.ReadCoils, 3, true)
	b.SetBit(frame.ReadCoils, 4, false)
	for _, test := range []struct {
		request frame.Request
		want    []byte
		failed  bool
	}{
		{frame.Request{Function: frame.WriteRegisters, Address: 5, Count: 2, Data: []byte{0, 3, 0, 4}}, nil, false},
		{frame.Request{Function: frame.ReadHolding, Address: 5, Count: 2}, []byte{0, 3, 0, 4}, false},
		{frame.Request{Function: frame.WriteCoils, Address: 3, Count: 2, Data: []byte{2}}, nil, false},
		{frame.Request{Function: frame.ReadCoils, Address: 3, Count: 2}, []byte{2}, false},
		{frame.Request{Function: frame.ReadCoils, Address: 3, Count: 3}, nil, true},
		{frame.Request{Function: frame.ReadInput, Address: 5, Count: 1}, nil, true},
		{frame.Request{Function: frame.WriteRegister, Address: 9, Count: 1, Data: []byte{0, 1}}, nil, true},
	} {
		if data, err := b.Serve(test.request); !bytes.Equal(data, test.want) || (err != nil) != test.failed {
			t.Errorf("%+v: %v, %v", test.request, data, err)
		}
	}
	if b.Asked(frame.ReadHolding) != 1 || b.Word(frame.ReadHolding, 6) != 4 || b.Bit(frame.ReadCoils, 3) {
		t.Error("it does not know what was asked")
	}
}
