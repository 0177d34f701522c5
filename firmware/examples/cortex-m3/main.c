/* A device on a Cortex-M3, an LM3S6965 at 50 MHz, without an operating system or a C library. It runs in
 * qemu-system-arm, which has no sensors: so it reports what it knows about itself.
 *
 *     test saw     counts from 0 to 999 and starts again, so that a missing reading shows
 *     core load    the share of the time in which the core was busy, 0 to 1; measured, a float */
#include "board.h"
#include "sighub.h"

enum { SAW, LOAD };       /* events, in the dictionary's order */
enum { LED = 1, PERIOD }; /* requests */

SIGHUB_DICTIONARY(
	SIGHUB_SENDER("test") SIGHUB_EVENT("saw", "count")
	SIGHUB_SENDER("core") SIGHUB_EVENT("load", "/")
	SIGHUB_SENDER("board") SIGHUB_REQUEST("led") SIGHUB_REQUEST("period"));

static uint16_t saw SIGHUB_KEEP; /* continues after a reset, like the readings that wait */
static uint32_t period = 1000; /* milliseconds between readings */

/* Called with a boolean or without one: "sighub request board led true". */
static void led(void) {
	uint8_t on;
	if (sighub_get_bool(&on)) {
		led_set(on);
	} else if (sighub_kind != SIGHUB_SIMPLE) { /* null: it only asks */
		sighub_fail("true or false");
		return;
	}
	sighub_put_bool(led_is_on());
}

static void set_period(void) {
	int32_t n;
	if (!sighub_get_int(&n) || n < 1 || n > 60000) {
		sighub_fail("1 to 60000 ms");
		return;
	}
	period = (uint32_t)n;
	sighub_put_int(n);
}

void sighub_request(uint8_t request) {
	if (request == LED) led();
	else if (request == PERIOD) set_period();
	else sighub_fail("no such request");
}

uint8_t sighub_write(uint8_t byte) { return uart_put(byte); }

int main(void) {
	static struct start start;
	static sighub_device device;
	uint32_t now, last;
	uint8_t byte;
	board_begin(&start);
	device.uid = start.uid;
	device.uid_size = UID_SIZE;
	device.name = "cortex-m3";
	device.firmware = "1.0";
	device.boot = start.boot;
	device.cause = start.cause;
	device.kept = start.kept;
	if (!start.kept) saw = 0;
	last = milliseconds();
	if (!sighub_begin(&device, last)) led_set(1); /* SIGHUB_EVENTS is too small: the hub says so, too */
	for (;;) {
		while (uart_get(&byte)) sighub_rx(byte);
		now = milliseconds();
		if (now - last >= period) {
			last = now;
			sighub_report(SAW, saw, now);
			saw = (uint16_t)((saw + 1) % 1000);
			sighub_report_float(LOAD, load(), now);
		}
		sighub_poll(now);
		rest();
	}
}
