package sensors_test

import (
	"context"
	"encoding/binary"
	"fmt"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/i2c/i2ctest"

	"sighub/hub"
	"sighub/sensors"
)

// An lm75 is a thermometer on I2C: TI, LM75A, SNOS808, "Temperature Data Format": 9 bits from the top, in half degrees.
type lm75 struct {
	bus i2c.Bus
	out [1]byte // what goes to the bus lies here, so that a reading allocates nothing
	in  [2]byte
}

func (s *lm75) Quantities() []sensors.Quantity {
	return []sensors.Quantity{{Name: "temp", Unit: sensors.Celsius, Min: -55, Max: 125, Resolution: 0.5}}
}

func (s *lm75) Read(_ context.Context, values []float64) error {
	if err := s.bus.Tx(0x48, s.out[:], s.in[:]); err != nil { // register 0
		return fmt.Errorf("lm75 on %s: %w", s.bus, err)
	}
	values[0] = float64(int16(binary.BigEndian.Uint16(s.in[:]))>>7) / 2
	return nil
}

func (s *lm75) Close() error { return nil } // the bus stays its owner's

func Example_guide() {
	// What the device answers: -25 °C in the data sheet's table. On a Raspberry Pi, the bus is sysfs.NewI2C(1).
	bus := &i2ctest.Playback{Ops: []i2ctest.IO{{Addr: 0x48, W: []byte{0}, R: []byte{0xe7, 0x00}}}}

	router := hub.NewRouter(hub.Options{})
	ctx, stop := context.WithCancel(context.Background())
	_, _ = router.AddListener("shed", "temp", func(ev hub.Event) {
		fmt.Println(ev.Sender, ev.Data)
		stop()
	})
	poller, err := sensors.NewPoller(sensors.OnRouter(router), []sensors.Source{{
		Sender: "shed", Bus: bus.String(),
		Open: func(context.Context) (sensors.Sensor, error) { return &lm75{bus: bus}, nil },
	}}, sensors.PollerOptions{})
	if err == nil {
		err = poller.Run(ctx)
	}
	fmt.Println(err)
	// Output:
	// shed -25
	// <nil>
}
