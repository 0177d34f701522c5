/* Light and temperature on an ATmega328P at 16 MHz, such as an Arduino Uno, without Arduino.
 *
 *     ADC0   a light sensor of 5 mV per lux, such as a TEMT6000 with 10 kOhm: 0.5 uA per lux
 *     ADC1   a TMP36: 750 mV at 25 degrees, 10 mV per degree
 *     PB5    the LED of the board, which the hub's clients may switch
 *
 * The supply of 5 V is the ADC's reference: a step is 4.9 mV, 0.98 lux and 0.49 degrees. */
#include "identity.h"
#include "sensors.h"
#include "sighub.h"
#include "uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <avr/sleep.h>
#include <avr/wdt.h>

#define SUPPLY 5000L /* mV */
#define STEPS 1024   /* of the ADC */

enum { LED = 1, PERIOD }; /* requests, in the dictionary's order */

SIGHUB_DICTIONARY(
	SIGHUB_SENDER("light") SIGHUB_DECIMAL("lux", "lx", -1)
	SIGHUB_SENDER("air") SIGHUB_DECIMAL("temp", "Cel", -2)
	SIGHUB_SENDER("board") SIGHUB_REQUEST("led") SIGHUB_REQUEST("period"));

static int32_t rounded(int32_t raw, int32_t per_millivolt) { return (raw * SUPPLY * per_millivolt + STEPS / 2) / STEPS; }

static int32_t tenths_of_lux(uint16_t raw) { return rounded(raw, 2); /* 5 mV are 10 tenths */ }
static int32_t hundredths_of_degrees(uint16_t raw) { return rounded(raw, 10) - 5000; /* 500 mV are 0 degrees */ }

/* Called with a boolean or without one: "sighub request board led true". */
static void led(void) {
	uint8_t on;
	if (sighub_get_bool(&on)) {
		if (on) PORTB |= _BV(PB5);
		else PORTB &= (uint8_t)~_BV(PB5);
	} else if (sighub_kind != SIGHUB_SIMPLE) { /* null: it only asks */
		sighub_fail(SIGHUB_TEXT("true or false"));
		return;
	}
	sighub_put_bool((PORTB & _BV(PB5)) != 0);
}

static void period(void) {
	int32_t milliseconds;
	if (!sighub_get_int(&milliseconds) || milliseconds < 1 || milliseconds > 60000) {
		sighub_fail(SIGHUB_TEXT("1 to 60000 ms"));
		return;
	}
	sensors_set_period((uint16_t)milliseconds);
	sighub_put_int(milliseconds);
}

void sighub_request(uint8_t request) {
	if (request == LED) led();
	else if (request == PERIOD) period();
	else sighub_fail(SIGHUB_TEXT("no such request"));
}

uint8_t sighub_write(uint8_t byte) { return uart_put(byte); }

static void report(void) {
	uint8_t sensor;
	uint16_t raw;
	uint32_t taken;
	while (sensors_get(&sensor, &raw, &taken)) {
		/* The library counts readings that do not fit, and the hub reports them. */
		sighub_report(sensor, sensor == LIGHT ? tenths_of_lux(raw) : hundredths_of_degrees(raw), taken);
	}
}

/* Sleeps until the next interrupt, at the latest that of the clock. A byte must not arrive unnoticed between the check and
 * the sleep: so interrupts are off, and the instruction after sei() is always executed before an interrupt. */
static void rest(void) {
	cli();
	if (uart_has_byte()) {
		sei();
		return;
	}
	sleep_enable();
	sei();
	sleep_cpu();
	sleep_disable();
}

int main(void) {
	static sighub_device device;
	uint8_t cause = MCUSR, byte;
	MCUSR = 0;
	wdt_enable(WDTO_2S); /* after a watchdog reset it is set to 16 ms */

	identity_begin();
	device.uid = uid;
	device.uid_size = UID_SIZE;
	device.name = SIGHUB_TEXT("light and air");
	device.firmware = SIGHUB_TEXT("1.0");
	device.boot = boot;
	device.cause = cause;
	/* The RAM survived the watchdog or the reset pin, if power stayed. A bootloader may have cleared the causes, or
	 * used the RAM: then this is 0, and unacknowledged readings are lost and counted. */
	device.kept = !(cause & (_BV(PORF) | _BV(BORF))) && cause;

	DDRB |= _BV(PB5);
	set_sleep_mode(SLEEP_MODE_IDLE);
	uart_begin();
	sensors_begin(1000, device.kept);
	sei();
	if (!sighub_begin(&device, milliseconds())) PORTB |= _BV(PB5); /* SIGHUB_EVENTS is too small: the hub says so, too */
	for (;;) {
		wdt_reset();
		while (uart_get(&byte)) sighub_rx(byte);
		report();
		sighub_poll(milliseconds());
		rest();
	}
}
