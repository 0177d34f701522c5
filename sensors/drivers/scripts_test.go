package drivers

import "time"

// An mcp9808 says who it is; then it is woken, and set to its finest.
var mcp9808Setup = []wire{{b(6), b(0x00, 0x54)}, {b(7), b(0x04, 0x00)}, {b(1, 0, 0), nil}, {b(8, 3), nil}}

// The calibration of the worked example in BST-BMP280-DS001, section 3.12: T1 to T3, P1 to P9.
var bmp280Registers = b(
	0x70, 0x6b, 0x43, 0x67, 0x18, 0xfc, // 27504, 26435, -1000
	0x7d, 0x8e, 0x43, 0xd6, 0xd0, 0x0b, // 36477, -10685, 3024
	0x27, 0x0b, 0x8c, 0x00, 0xf9, 0xff, // 2855, 140, -7
	0x8c, 0x3c, 0xf8, 0xc6, 0x70, 0x17, // 15500, -14600, 6000
	0x00, 0x4b) // unused; 75 (H1 of a bme280)

func bmp280Setup(id byte) []wire {
	setup := []wire{{b(0xd0), b(id)}, {b(0xf3), b(0)}, {b(0x88), bmp280Registers}}
	if id == bme280IsHumid {
		// 362, 0, 332 and 0 share a byte, 30: H2 to H6 as devices have them
		setup = append(setup, wire{b(0xe1), b(0x6a, 0x01, 0x00, 0x14, 0x0c, 0x00, 0x1e)})
	}
	return append(setup, wire{b(0xf4, 0), nil}, wire{b(0xf5, 0), nil})
}

// What the chips whose resolution is 16 bits and two words answer; the checksums are those of the formula.
func shtWords(temp, humidity uint16) []byte {
	w := b(byte(temp>>8), byte(temp), 0, byte(humidity>>8), byte(humidity), 0)
	w[2], w[5] = crc8(w[:2]), crc8(w[3:5])
	return w
}

func aht20Answer(status byte, humidity, temp uint32) []byte {
	w := b(status, byte(humidity>>12), byte(humidity>>4), byte(humidity<<4)|byte(temp>>16), byte(temp>>8), byte(temp), 0)
	w[6] = crc8(w[:6])
	return w
}

// A DS18B20's memory: the temperature, TH 75, TL 70 and the bytes after power came (19-7487, figure 8), with its checksum.
func ds18b20Memory(raw uint16, config byte) []byte {
	w := b(byte(raw), byte(raw>>8), 0x4b, 0x46, config, 0xff, 0x0c, 0x10, 0)
	w[8] = dallas(w[:8])
	return w
}

// dallas is the checksum of 1-Wire, x^8 + x^5 + x^4 + 1 reflected, written here from its definition so that the one in use
// is not tested by itself.
func dallas(data []byte) byte {
	var crc byte
	for _, x := range data {
		for range 8 {
			if mix := (crc ^ x) & 1; mix != 0 {
				crc = crc>>1 ^ 0x8c
			} else {
				crc >>= 1
			}
			x >>= 1
		}
	}
	return crc
}

// scripts are what the data sheets say of devices: their worked examples and tables where they have any.
func scripts() []script {
	tmp102 := func(name string, hi, lo byte, want float64) script {
		s := script{driver: "tmp102", name: name, addr: 0x48,
			setup:   []wire{{b(1, 0x60, 0xc0), nil}, {b(1), b(0x60, 0xe0)}}, // the alert's bit is the device's
			reading: []wire{{b(0), b(hi, lo)}}, want: []float64{want},
			rest: []wire{{b(1, 0x61, 0xc0), nil}}}
		if hi == 0 && lo == 0 { // is it there?
			s.reading = append(s.reading, wire{b(1), b(0xe0, 0xe0)})
		}
		return s
	}
	mcp9808 := func(name string, hi, lo byte, want float64) script {
		s := script{driver: "mcp9808", name: name, addr: 0x18, setup: mcp9808Setup,
			reading: []wire{{b(5), b(hi, lo)}}, want: []float64{want}, rest: []wire{{b(1, 1, 0), nil}}}
		if hi == lo && (hi == 0 || hi == 0xff) { // is it there?
			s.reading = append(s.reading, mcp9808Setup[0])
		}
		return s
	}
	ds18b20 := func(name string, raw uint16, bits int, want float64) script {
		config := byte((bits-9)<<5 | 0x1f)
		s := script{driver: "ds18b20", name: name, addr: testROM, options: Options{Bits: bits},
			setup:   []wire{{b(0xbe), ds18b20Memory(0x0550, config)}},
			reading: []wire{{b(0x44), nil}, {b(0xbe), ds18b20Memory(raw, config)}}, want: []float64{want}}
		if bits < 12 { // it has 12 from its factory
			s.setup = []wire{{b(0xbe), ds18b20Memory(0x0550, 0x7f)}, {b(0x4e, 0x4b, 0x46, config), nil},
				{b(0xbe), ds18b20Memory(0x0550, config)}}
		}
		return s
	}
	ads1115 := func(name string, o Options, config uint16, code int16, want float64) script {
		hi, lo := byte(config>>8), byte(config)
		return script{driver: "ads1115", name: name, addr: 0x48, options: o,
			setup: []wire{{b(1), b(0x85, 0x83)}}, // its configuration after power came
			reading: []wire{{b(1, hi, lo), nil}, {b(1), b(hi&0x7f, lo)}, {b(1), b(hi, lo)}, // busy at first
				{b(0), b(byte(uint16(code)>>8), byte(code))}},
			want: []float64{want}}
	}
	bh1750 := func(name string, o Options, mtreg, mode byte, hi, lo byte, want float64) script {
		return script{driver: "bh1750", name: name, addr: 0x23, options: o,
			setup:   []wire{{b(1), nil}, {b(0x40 | mtreg>>5), nil}, {b(0x60 | mtreg&0x1f), nil}, {b(mode), nil}},
			reading: []wire{{nil, b(hi, lo)}}, want: []float64{want}, rest: []wire{{b(0), nil}}}
	}
	sht := func(driver, name string, o Options, command []byte, temp, humidity uint16, t, h float64) script {
		s := script{driver: driver, name: name, addr: 0x44, options: o,
			reading: []wire{{command, nil}, {nil, shtWords(temp, humidity)}}, want: []float64{t, h}}
		switch driver {
		case "sht3x": // its status after power came
			s.setup = []wire{{b(0x30, 0x93), nil}, {b(0xf3, 0x2d), nil}, {nil, shtWords(0x8010, 0)[:3]}}
		case "hdc302x":
			s.setup = []wire{{b(0x30, 0x93), nil}, {b(0x37, 0x81), nil}, {nil, shtWords(0x3000, 0)[:3]}}
		case "sht4x": // the words of both data sheets' example of a checksum
			s.setup = []wire{{b(0x89), nil}, {nil, b(0xbe, 0xef, 0x92, 0xab, 0xcd, 0x6f)}}
		}
		return s
	}
	aht20 := func(name string, humidity, temp uint32, t, h float64) script {
		return script{driver: "aht20", name: name, addr: 0x38,
			setup:   []wire{{b(0x71), b(0x10)}, {b(0xbe, 0x08, 0x00), nil}}, // not calibrated yet
			reading: []wire{{b(0xac, 0x33, 0x00), nil}, {nil, aht20Answer(0x98, 0, 0)}, {nil, aht20Answer(0x18, humidity, temp)}},
			want:    []float64{t, h}}
	}
	veml := func(name string, o Options, conf uint16, count uint16, want float64) script {
		lo, hi := byte(conf), byte(conf>>8)
		s := script{driver: "veml7700", name: name, addr: 0x10, options: o, within: 1e-6,
			setup:   []wire{{b(3, 6, 0), nil}, {b(0, lo|1, hi), nil}, {b(0, lo, hi), nil}},
			reading: []wire{{b(0), b(lo, hi)}, {b(4), b(byte(count), byte(count>>8))}},
			want:    []float64{want}, rest: []wire{{b(0, lo|1, hi), nil}}}
		if count == 0 { // is it there?
			s.reading = append(s.reading, wire{b(3), b(6, 0)})
		}
		return s
	}
	tsl := func(name string, o Options, control byte, both, infrared uint16, want float64) script {
		return script{driver: "tsl2591", name: name, addr: 0x29, options: o, within: 1e-6,
			setup:   []wire{{b(0xb2), b(0x50)}, {b(0xa0, 1), nil}, {b(0xa1, control), nil}, {b(0xa0, 3), nil}},
			reading: []wire{{b(0xb3), b(0x01, byte(both), byte(both>>8), byte(infrared), byte(infrared>>8))}},
			want:    []float64{want}, rest: []wire{{b(0xa0, 0), nil}}}
	}
	high2 := Options{Mode: "high2", Gain: 2}
	return []script{
		// No. 11046EDT01, page 7: 83 90 are 28067 lx.
		bh1750("page 7", Options{}, 69, 0x10, 0x83, 0x90, 28066.666666667),
		bh1750("finer", high2, 138, 0x11, 0x83, 0x90, 28066.666666667/4), // pages 7 and 11
		bh1750("low", Options{Mode: "low"}, 69, 0x13, 0x00, 0x04, 4/1.2),
		bh1750("brightest", Options{Gain: 31. / 69}, 31, 0x10, 0xff, 0xfe, 65534/1.2*69/31),
		// SBOS397, the tables of temperature data formats: 12 bits, and the extended 13.
		tmp102("128", 0x7f, 0xf0, 127.9375), tmp102("100", 0x64, 0x00, 100), tmp102("80", 0x50, 0x00, 80),
		tmp102("25", 0x19, 0x00, 25), tmp102("0.25", 0x00, 0x40, 0.25), tmp102("0", 0, 0, 0),
		tmp102("-0.25", 0xff, 0xc0, -0.25), tmp102("-25", 0xe7, 0x00, -25), tmp102("-55", 0xc9, 0x00, -55),
		tmp102("extended 150", 0x4b, 0x01, 150), tmp102("extended -55", 0xe4, 0x81, -55),
		// DS25095A, the timing diagram of the temperature register: C1 94 are +25.25 °C; the upper three bits are alerts.
		mcp9808("25.25", 0xc1, 0x94, 25.25), mcp9808("-0.0625", 0x1f, 0xff, -0.0625),
		mcp9808("-0.0625, all alerts", 0xff, 0xff, -0.0625), mcp9808("-40", 0xfd, 0x80, -40), mcp9808("125", 0x07, 0xd0, 125), mcp9808("0", 0, 0, 0),
		// 19-7487, table 1.
		ds18b20("125", 0x07d0, 12, 125), ds18b20("25.0625", 0x0191, 12, 25.0625), ds18b20("10.125", 0x00a2, 12, 10.125),
		ds18b20("0.5", 0x0008, 12, 0.5), ds18b20("0", 0, 12, 0), ds18b20("-0.5", 0xfff8, 12, -0.5),
		ds18b20("-10.125", 0xff5e, 12, -10.125), ds18b20("-25.0625", 0xfe6f, 12, -25.0625), ds18b20("-55", 0xfc90, 12, -55),
		ds18b20("9 bits", 0xff5e, 9, -10.5), ds18b20("11 bits", 0x0191, 11, 25), // what lies below is undefined
		// SBAS444D, "Input Signal Versus Ideal Output Code": one step, both sides of 0, and both ends but for the very last code.
		ads1115("one step", Options{}, 0xc383, 1, 4.096/32768), ads1115("0", Options{}, 0xc383, 0, 0),
		ads1115("-1 step", Options{Channel: "0-1", Range: 0.256}, 0x8b83, -1, -0.256/32768),
		ads1115("highest", Options{Channel: "3", Range: 6.144, Rate: 860}, 0xf1e3, 32766, 6.144*32766/32768),
		ads1115("lowest", Options{Channel: "2-3", Range: 2.048, Rate: 8}, 0xb503, -32767, -2.048*32767/32768),
		ads1115("light", Options{Law: &Law{Kind: Photoresistor, Supply: 3.3, Fixed: 10_000}}, 0xc383, 13200, 10), // 1.65 V
		ads1115("warmth", Options{Law: &Law{Kind: Thermistor, Grounded: true}}, 0xc383, 13200, 25),
		// Datasheet SHT3x-DIS, "Conversion of Signal Output", and SNAS778: the ends of both lines, and freezing.
		sht("sht3x", "lowest", Options{}, b(0x24, 0x00), 0, 0, -45, 0),
		sht("sht3x", "highest", Options{Mode: "medium"}, b(0x24, 0x0b), 0xffff, 0xffff, 130, 100),
		sht("sht3x", "middle", Options{Mode: "low"}, b(0x24, 0x16), 0x6666, 0x8000, 25, 100*32768./65535),
		sht("hdc302x", "negative", Options{}, b(0x24, 0x00), 0x3333, 0x3333, -10, 20),
		sht("hdc302x", "positive", Options{Mode: "low"}, b(0x24, 0x16), 0x9999, 0x9999, 60, 60),
		// Datasheet SHT4x, "Conversion of Signal Output": the line of humidity goes beyond 0 and 100 %RH, the values do not.
		sht("sht4x", "lowest", Options{}, b(0xfd), 0, 0, -45, 0),
		sht("sht4x", "highest", Options{Mode: "low"}, b(0xe0), 0xffff, 0xffff, 130, 100),
		sht("sht4x", "negative", Options{Mode: "medium"}, b(0xf6), 0x3333, 0x6666, -10, 44),
		// AHT20 Product manuals, "Signal conversion": both are lines over 20 bits.
		aht20("middle", 1<<19, 1<<19, 50, 50), aht20("freezing", 1<<18, 1<<18, 0, 25),
		aht20("negative", 3<<17, 1<<17, -25, 37.5),
		// BST-BMP280-DS001, section 3.12: 25.08 °C and 100653.27 Pa.
		{driver: "bmp280", name: "section 3.12", addr: 0x76, setup: bmp280Setup(0x58), within: 0.005,
			reading: []wire{{b(0xf4, 0x25), nil}, {b(0xf3), b(0)}, {b(0xf7), b(0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00)}},
			want:    []float64{25.08, 100653.27}},
		// The same in a bme280; its humidity by the formula in integers of BST-BME280-DS002, section 4.2.3.
		{driver: "bme280", name: "section 3.12", addr: 0x77, options: Options{Oversampling: 16}, setup: bmp280Setup(0x60),
			within: 0.005,
			reading: []wire{{b(0xf2, 5), nil}, {b(0xf4, 0xb5), nil}, {b(0xf3), b(0x08)}, {b(0xf3), b(0)},
				{b(0xf7), b(0x65, 0x5a, 0xc0, 0x7e, 0xed, 0x00, 0x6e, 0x00)}},
			want: []float64{25.08, 100653.27, 38.8418}},
		// Document 84286: a count at each gain and time; above 1000 lx as the application note corrects it.
		veml("gain 2, 800 ms", Options{Gain: 2, Integration: 800 * time.Millisecond}, 0x08c0, 1000, 4.2),
		veml("gain 1, 100 ms", Options{Gain: 1}, 0x0000, 1480, 99.456),
		veml("gain 1/8, 25 ms", Options{Gain: 0.125, Integration: 25 * time.Millisecond}, 0x1300, 4650, 14791.479432),
		veml("dark", Options{Gain: 1}, 0x0000, 0, 0),
		veml("automatic", Options{}, 0x1000, 3000, 1793.136473),
		tsl("no infrared", Options{Gain: 1}, 0x00, 100, 0, 408),
		tsl("half infrared", Options{Gain: 428, Integration: 600 * time.Millisecond}, 0x25, 4280, 2140, 1070*408/(428*600.)),
		tsl("infrared alone", Options{Gain: 25}, 0x10, 100, 120, 0),
		tsl("automatic", Options{}, 0x10, 3000, 1000, 2000*(2./3)*408/2500),
	}
}
