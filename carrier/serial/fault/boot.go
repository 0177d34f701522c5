package fault

import "strings"

// Rates at which an ESP32 with a crystal of 26 MHz starts, in bits per second. Its ROM assumes a crystal of 40 MHz, and so
// sends at 115200 * 26 / 40.
const (
	esp32ROM  = 74880
	esp32Rate = 115200
)

// ESP32 returns what an ESP32 prints when it is reset, as a receiver at 115200 baud reads it: the ROM's part is
// garbage, because it is sent at another rate; the boot loader's is text; the sketch's first line comes last.
func ESP32() string {
	rom := strings.Join([]string{
		"ets Mar 14 2021 08:02:51", "",
		"rst:0x1 (POWERON_RESET),boot:0x17 (SPI_FAST_FLASH_BOOT)",
		"configsip: 0, SPIWP:0xee",
		"mode:DIO, clock div:2",
		"load:0x3fff0018,len:4", "load:0x3fff001c,len:1216", "load:0x40078000,len:10944",
		"entry 0x400782a4", "",
	}, "\r\n")
	loader := strings.Join([]string{
		"\x1b[0;32mI (31) boot: second stage loader, 2 cores, 26 MHz crystal\x1b[0m",
		"\x1b[0;32mI (38) boot: SPI flash: 4MB, DIO at 40 MHz\x1b[0m",
		"\x1b[0;32mI (46) boot: app0 at 0x00010000, 0x0a3c40 bytes: valid\x1b[0m",
		"\x1b[0;33mW (212) wifi: no access point is configured\x1b[0m",
		"sensor node: starting", "",
	}, "\r\n")
	return string(misread([]byte(rom), esp32ROM, esp32Rate)) + loader
}

// misread returns what a receiver at one rate reads of text that is sent at another one, back to back: 8 data bits,
// no parity, one stop bit. As a UART does, it waits for the edge of a start bit and then samples the middle of each
// bit; a byte whose stop bit is wrong counts as well.
func misread(text []byte, sent, read int) []byte {
	// Time is counted in units of 1 / (2 * sent * read) s, in which bits and their halves are whole.
	sentBit, readBit := 2*read, 2*sent
	level := func(at int) bool {
		bit := at / sentBit
		if bit/10 >= len(text) {
			return true // idle
		}
		switch bit %= 10; bit {
		case 0:
			return false
		case 9:
			return true
		default:
			return text[at/sentBit/10]>>(bit-1)&1 == 1
		}
	}
	var got []byte
	for at, end := 0, len(text)*10*sentBit; at < end; {
		if level(at) { // idle, or a bit: an edge can only be where a sent bit begins
			at = (at/sentBit + 1) * sentBit
			continue
		}
		var b byte
		for bit := range 8 {
			if level(at + readBit/2 + (bit+1)*readBit) {
				b |= 1 << bit
			}
		}
		got = append(got, b)
		at += readBit/2 + 9*readBit // the middle of the stop bit
		for at < end && !level(at) {
			at = (at/sentBit + 1) * sentBit
		}
	}
	return got
}
