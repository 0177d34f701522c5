package carrier_test

import (
	"fmt"

	"sighub/carrier"
)

// A message is packed, read by its receiver, and answered with the same id; what it carries changes its codec
// on the way without anybody looking into it.
func Example() {
	packed := []byte(`{"id":"a7","method":"signal","params":{"sender":"light","data":{"lux":512}}}`)

	packet, err := carrier.Unpack(carrier.JSON, packed)
	if err != nil {
		fmt.Println(err)
		return
	}
	message := packet.Message
	err = message.Params.Fields(func(key string, v carrier.Value) error {
		if key != "data" {
			return nil
		}
		data, err := v.AppendTo(nil, carrier.CBOR)
		fmt.Printf("%s: %s is %x in CBOR\n", message.Method, v, data)
		return err
	})

	reply := carrier.Done("noted")
	if err != nil {
		reply = carrier.Failed(err)
	}
	reply.ID = message.ID
	answer, err := reply.AppendTo(nil, carrier.JSON)
	fmt.Println(string(answer), err)
	// Output:
	// signal: {"lux":512} is a1636c7578190200 in CBOR
	// {"id":"a7","status":0,"response":"noted"} <nil>
}
