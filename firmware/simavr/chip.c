#include "chip.h"

#include <simavr/avr_adc.h>
#include <simavr/avr_eeprom.h>
#include <simavr/avr_ioport.h>
#include <simavr/avr_uart.h>
#include <simavr/sim_avr.h>
#include <simavr/sim_elf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHANNELS 8
#define ADC_STEPS 1024 /* of its range, by the data sheet */
#define SIMAVR_STEPS 1023

static struct chip_options options;
static avr_t *avr;
static void (*core_reset)(avr_t *);
static const char *cause = "watchdog"; /* of the present reset: all other causes are our own */
static int full;                       /* the receiver accepts no more at present */
static uint64_t noise;
static struct {
	unsigned now, from, to, step; /* millivolts */
} inputs[CHANNELS];

/* The library logs every step to standard output, which this program needs. */
static void log_errors(avr_t *chip, const int level, const char *format, va_list args) {
	(void)chip;
	if (level == LOG_ERROR) vfprintf(stderr, format, args);
}

static uint8_t random_byte(void) { /* xorshift64 (Marsaglia, 2003) */
	noise ^= noise << 13;
	noise ^= noise >> 7;
	noise ^= noise << 17;
	return (uint8_t)(noise >> 32);
}

/* ---- Events */

/* A conversion begins: the present voltage of the input counts, whatever happens until the result is read. The library
 * scales with 1023 where the data sheet says 1024, so it gets the lowest voltage that it converts to the right result. */
static void on_conversion(avr_irq_t *irq, uint32_t value, void *param) {
	union {
		avr_adc_mux_t mux;
		uint32_t value;
	} what = {.value = value};
	(void)irq, (void)param;
	if (what.mux.kind != ADC_MUX_SINGLE || what.mux.src >= CHANNELS) return;
	unsigned channel = what.mux.src, now = inputs[channel].now, raw = now * ADC_STEPS / options.vcc;
	if (raw > ADC_STEPS - 1) raw = ADC_STEPS - 1;
	avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, (int)channel),
		(raw * options.vcc + SIMAVR_STEPS - 1) / SIMAVR_STEPS);
	options.say("adc %u %u %u", channel, now, raw);
	now += inputs[channel].step;
	inputs[channel].now = now > inputs[channel].to ? inputs[channel].from : now;
}

static void on_transmit(avr_irq_t *irq, uint32_t value, void *param) {
	(void)irq, (void)param;
	options.transmitted((uint8_t)value);
}

static void on_full(avr_irq_t *irq, uint32_t value, void *param) {
	(void)irq, (void)param;
	full = value != 0;
}

static void on_room(avr_irq_t *irq, uint32_t value, void *param) {
	(void)irq, (void)param;
	if (value) full = 0;
}

static void on_pin(avr_irq_t *irq, uint32_t value, void *param) {
	options.say("pin %c%d %u", *(const char *)param, irq->irq, value);
}

static void on_reset(avr_t *chip) {
	full = 0;
	if (core_reset) core_reset(chip);
	options.say("reset %s", cause);
}

static void on_sleep(avr_t *chip, avr_cycle_count_t cycles) { (void)chip, (void)cycles; } /* the caller of chip_run waits */

/* ---- The chip */

static void restart(const char *why, avr_regbit_t flag) {
	cause = why;
	avr_reset(avr);
	avr_regbit_set(avr, flag);
	cause = "watchdog";
}

void chip_reset(void) { restart("external", avr->reset_flags.extrf); }

void chip_power(void) {
	for (unsigned i = avr->ioend + 1u; i <= avr->ramend; i++) avr->data[i] = random_byte();
	restart("power", avr->reset_flags.porf);
}

static void connect(void) {
	static const char ports[] = "BCD";
	uint32_t flags = 0; /* no output of its own, and no wait when the program polls the UART */
	avr_ioctl(avr, AVR_IOCTL_UART_SET_FLAGS('0'), &flags);
	avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_ADC_GETIRQ, ADC_IRQ_OUT_TRIGGER), on_conversion, NULL);
	avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUTPUT), on_transmit, NULL);
	avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XOFF), on_full, NULL);
	avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_OUT_XON), on_room, NULL);
	for (const char *port = ports; *port; port++) {
		for (int pin = 0; pin < 8; pin++) {
			avr_irq_t *irq = avr_io_getirq(avr, AVR_IOCTL_IOPORT_GETIRQ(*port), pin);
			if (!irq) continue;
			irq->flags |= IRQ_FLAG_FILTERED; /* changes only */
			avr_irq_register_notify(irq, on_pin, (void *)port);
		}
	}
}

/* The bytes of the EEPROM, to which the library gives a pointer. */
static uint8_t *eeprom(void) {
	avr_eeprom_desc_t d = {.ee = NULL, .offset = 0, .size = avr->e2end + 1};
	avr_ioctl(avr, AVR_IOCTL_EEPROM_GET, &d); /* returns -1 always */
	return d.ee;
}

static void load_eeprom(void) {
	FILE *file = options.eeprom ? fopen(options.eeprom, "rb") : NULL;
	if (!file) return; /* a new chip */
	if (eeprom() && fread(eeprom(), 1, avr->e2end + 1, file) != avr->e2end + 1)
		fprintf(stderr, "sighub-simavr: %s: shorter than the EEPROM\n", options.eeprom);
	fclose(file);
}

static int save_eeprom(void) {
	FILE *file;
	if (!options.eeprom || !eeprom()) return 1;
	file = fopen(options.eeprom, "wb");
	if (file) {
		size_t n = fwrite(eeprom(), 1, avr->e2end + 1, file);
		if (fclose(file) == 0 && n == avr->e2end + 1) return 1;
	}
	perror(options.eeprom);
	return 0;
}

int chip_make(const struct chip_options *o) {
	elf_firmware_t firmware;
	options = *o;
	noise = 0x9E3779B97F4A7C15u * (options.seed + 1) | 1;
	avr_global_logger_set(log_errors);
	memset(&firmware, 0, sizeof firmware);
	if (elf_read_firmware(options.program, &firmware) < 0 || !firmware.flashsize) {
		fprintf(stderr, "sighub-simavr: %s: no program for an AVR\n", options.program);
		return 0;
	}
	avr = avr_make_mcu_by_name(options.mcu);
	if (!avr) {
		fprintf(stderr, "sighub-simavr: %s: libsimavr does not know this microcontroller\n", options.mcu);
		return 0;
	}
	avr_init(avr);
	firmware.frequency = options.frequency;
	firmware.vcc = firmware.avcc = firmware.aref = options.vcc;
	avr_load_firmware(avr, &firmware);
	free(firmware.flash);
	avr->sleep = on_sleep;
	core_reset = avr->reset;
	avr->reset = on_reset;
	load_eeprom();
	connect();
	chip_power();
	return 1;
}

int chip_end(void) {
	int kept = save_eeprom();
	avr_terminate(avr);
	free(avr);
	avr = NULL;
	return kept;
}

int chip_run(uint64_t milliseconds) {
	uint64_t until = milliseconds * (options.frequency / 1000);
	while (avr->cycle < until) {
		int state = avr_run(avr);
		if (state == cpu_Done || state == cpu_Crashed) return 0;
	}
	return 1;
}

uint64_t chip_cycle(void) { return avr ? avr->cycle : 0; }

int chip_saw(unsigned channel, unsigned from, unsigned to, unsigned step) {
	if (channel >= CHANNELS || from > to || to > 1000000) return 0;
	inputs[channel].now = inputs[channel].from = from;
	inputs[channel].to = to;
	inputs[channel].step = step;
	return 1;
}

void chip_receive(uint8_t byte) {
	avr_raise_irq(avr_io_getirq(avr, AVR_IOCTL_UART_GETIRQ('0'), UART_IRQ_INPUT), byte);
}

int chip_receives(void) { return !full; }
