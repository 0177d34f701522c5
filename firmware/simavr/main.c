/* sighub-simavr: runs a program for an AVR microcontroller in libsimavr, with its UART 0 on a pseudo terminal.
 *
 *     sighub-simavr --link PATH [options] program.elf
 *
 *       --link PATH              symbolic link to the terminal
 *       --saw CHANNEL:FROM:TO:STEP   as the command saw, below; may be repeated
 *       --eeprom FILE            EEPROM: read at the start if it is there, written at the end
 *       --seed N                 of the noise in the RAM after power-up (1)
 *       --mcu NAME               (atmega328p)
 *       --frequency HERTZ        (16000000)
 *       --vcc MILLIVOLTS         supply, and the ADC's reference if that is AVcc or AREF (5000)
 *       --fast                   as fast as possible, instead of real time
 *
 * Commands, one per line of standard input, whose end means "quit":
 *
 *     adc CHANNEL MILLIVOLTS       the voltage at an input of the ADC, from the next conversion on
 *     saw CHANNEL FROM TO STEP     the voltage is FROM mV at the next conversion, and STEP more at each, back to FROM
 *                                  when it would be more than TO
 *     reset                        the reset pin: RAM and EEPROM keep their contents
 *     power                        power off and on: noise in the RAM; EEPROM keeps its contents
 *     unplug, plug                 the terminal is closed and its link removed; there is a new one
 *     quit
 *
 * Events, one per line of standard output, each ending with the cycle of the chip's clock:
 *
 *     adc CHANNEL MILLIVOLTS RAW   a conversion began; RAW is its result according to the data sheet: mV * 1024 / vcc
 *     pin NAME LEVEL               an output changed, as in "pin B5 1"
 *     reset CAUSE                  external, power or watchdog
 *     unplug, plug                 done
 *
 * The exit status is 0 after "quit", the end of the input, SIGTERM or SIGINT; 1 if the program crashed or stopped for
 * good, or something else failed; 2 if the arguments are wrong. */
#define _POSIX_C_SOURCE 200809L
#include "chip.h"
#include "pty.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t ending;
static const char *link_path;
static int line = -1; /* the terminal; -1: unplugged */

static void end(int signal) {
	(void)signal;
	ending = 1;
}

static void say(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf(" %llu\n", (unsigned long long)chip_cycle());
}

static void complain(const char *what, const char *about) {
	fprintf(stderr, "sighub-simavr: %s: %s\n", about, what);
}

static void transmitted(uint8_t byte) {
	if (line >= 0) pty_write(line, byte);
}

static int plug(void) {
	if (line >= 0) return 1;
	line = pty_plug(link_path);
	if (line < 0) complain(strerror(errno), link_path);
	else say("plug");
	return line >= 0;
}

static void unplug(void) {
	if (line < 0) return;
	pty_unplug(line, link_path);
	line = -1;
	say("unplug");
}

/* Executes a command; returns 0 if there is no such command. */
static int command(const char *text) {
	unsigned channel, from, to, step;
	int end_of = 0;
	if (sscanf(text, "adc %u %u %n", &channel, &from, &end_of) == 2 && !text[end_of]) {
		return chip_saw(channel, from, from, 0);
	}
	if (sscanf(text, "saw %u %u %u %u %n", &channel, &from, &to, &step, &end_of) == 4 && !text[end_of]) {
		return chip_saw(channel, from, to, step);
	}
	if (!strcmp(text, "reset")) chip_reset();
	else if (!strcmp(text, "power")) chip_power();
	else if (!strcmp(text, "unplug")) unplug();
	else if (!strcmp(text, "plug")) ending |= !plug();
	else if (!strcmp(text, "quit")) ending = 1;
	else return 0;
	return 1;
}

/* Reads standard input, and executes the commands that are complete. */
static void commands(void) {
	static char text[256];
	static size_t size;
	ssize_t n = read(STDIN_FILENO, text + size, sizeof text - 1 - size);
	if (n < 0 && errno == EINTR) return;
	if (n <= 0) {
		ending = 1;
		return;
	}
	size += (size_t)n;
	text[size] = 0;
	for (char *end_of; (end_of = strchr(text, '\n')); ) {
		*end_of++ = 0;
		if (text[0] && !command(text)) complain("no such command", text);
		size = strlen(end_of);
		memmove(text, end_of, size + 1);
	}
	if (size == sizeof text - 1) {
		complain("no such command", text);
		size = 0;
	}
}

static uint64_t now(void) { /* nanoseconds */
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Waits until a time, or until there is something to do before. */
static void wait_until(uint64_t time, int fast) {
	struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = -1, .events = POLLIN}};
	uint64_t n = now();
	uint64_t left = fast || time <= n ? 0 : time - n;
	/* A terminal that nobody has open reports nothing but that, and at once. What comes waits, until the chip takes it. */
	if (line >= 0 && chip_receives() && pty_is_open(line)) fds[1].fd = line;
	if (poll(fds, 2, (int)((left + 999999) / 1000000)) > 0 && fds[0].revents) commands();
	fflush(stdout);
}

/* Runs the chip until the end, in steps of a millisecond of its time. A host that was busy makes it catch up. */
static int run(int fast) {
	uint8_t bytes[64];
	uint64_t start = now(), millisecond = 0;
	while (!ending) {
		size_t n = 0;
		wait_until(start + millisecond * 1000000, fast);
		while (line >= 0 && chip_receives() && (n = pty_read(line, bytes, 1))) chip_receive(bytes[0]);
		if (now() < start + millisecond * 1000000 && !fast) continue;
		if (!chip_run(++millisecond)) {
			complain("the program crashed, or sleeps with interrupts off", "chip");
			return 1;
		}
	}
	return 0;
}

static int usage(const char *what) {
	fprintf(stderr, "sighub-simavr: %s\nusage: sighub-simavr --link PATH [options] program.elf; see the head of main.c\n", what);
	return 2;
}

int main(int argc, char **argv) {
	static const struct option options[] = {
		{"link", 1, 0, 'l'}, {"saw", 1, 0, 'a'}, {"eeprom", 1, 0, 'e'}, {"seed", 1, 0, 's'}, {"mcu", 1, 0, 'm'},
		{"frequency", 1, 0, 'f'}, {"vcc", 1, 0, 'v'}, {"fast", 0, 0, 'q'}, {0, 0, 0, 0}};
	struct chip_options chip = {
		.mcu = "atmega328p", .frequency = 16000000, .vcc = 5000, .seed = 1, .say = say, .transmitted = transmitted};
	int fast = 0, status = 1;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1; ) {
		unsigned channel, from, to, step;
		if (c == 'l') link_path = optarg;
		else if (c == 'e') chip.eeprom = optarg;
		else if (c == 's') chip.seed = strtoul(optarg, NULL, 0);
		else if (c == 'm') chip.mcu = optarg;
		else if (c == 'f') chip.frequency = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'v') chip.vcc = (uint32_t)strtoul(optarg, NULL, 0);
		else if (c == 'q') fast = 1;
		else if (c != 'a') return usage("no such option");
		else if (sscanf(optarg, "%u:%u:%u:%u", &channel, &from, &to, &step) != 4 || !chip_saw(channel, from, to, step))
			return usage("--saw wants CHANNEL:FROM:TO:STEP");
	}
	if (!link_path || optind != argc - 1) return usage("a link and a program are needed");
	if (!chip.frequency || !chip.vcc) return usage("frequency and vcc are more than 0");
	chip.program = argv[optind];

	struct sigaction action = {.sa_handler = end};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	if (chip_make(&chip)) {
		if (plug()) {
			status = run(fast);
			unplug();
		}
		status |= !chip_end();
	}
	return status | (fflush(stdout) != 0);
}
