/* A device on the PC: the library, with an application that tests can drive.
 *
 *     host [--uid TEXT]                      commands on stdin, answers on stdout; the commands say what time it is
 *     host [--uid TEXT] [--rate N] --line PATH [SECONDS]
 *                                            a device on a tty or PTY, in real time: reports a counter N times per
 *                                            second (0, the default: as fast as the ring accepts it)
 *
 * Commands and answers are bytes; numbers are big-endian. Each command is answered at once, so a test that writes one
 * and reads its answer is in lockstep with the device, in virtual time. Times are in milliseconds.
 *
 *     command                                answer
 *     B kept:1 boot:4 now:4                  ok:1                      sighub_begin: the device starts (again)
 *     P now:4 room:2                         connected:1 waiting:2 executed:2 size:2 bytes
 *                                                                      sighub_poll, with a transmitter that takes
 *                                                                      up to `room` bytes: these are they
 *     R size:2 bytes                         executed:2                sighub_rx for each byte
 *     V event:1 value:4 taken:4              queued:1                  sighub_report
 *     F event:1 bits:4 taken:4               queued:1                  sighub_report_float (2: built without floats)
 *     S                                      refused:1 status:1        sighub_refused, sighub_refusal
 *
 * `executed` counts the requests that were executed since the process started. The dictionary has two senders, host
 * (event 0 "counter", requests 1 to 4, if it was built with requests) and room (event 1 "temperature"). Requests: 1 echo
 * answers its parameters; 2 fail fails; 3 executed answers how often it was executed; 4 pick answers the bits of the float that
 * its parameters, a map, have under "x". The end of stdin ends the program; an unknown command ends it with an error. */

#define _XOPEN_SOURCE 600

#include "../src/sighub.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#if SIGHUB_REQUESTS
#define REQUESTS SIGHUB_REQUEST("echo") SIGHUB_REQUEST("fail") SIGHUB_REQUEST("executed") SIGHUB_REQUEST("pick")
#else
#define REQUESTS
#endif
SIGHUB_DICTIONARY(SIGHUB_SENDER("host") SIGHUB_EVENT("counter", "count") REQUESTS
                  SIGHUB_SENDER("room") SIGHUB_DECIMAL("temperature", "Cel", -2));

static sighub_device device = {(const uint8_t *)"\x1f\x0e", 2, SIGHUB_TEXT("host"), SIGHUB_TEXT("1.0"), 0, 0, 0};

static uint8_t sent[65536];   /* what the transmitter has accepted */
static size_t sent_size, room;
static unsigned executed;

uint8_t sighub_write(uint8_t byte) {
	if (sent_size >= room) return 0;
	sent[sent_size++] = byte;
	return 1;
}

#if SIGHUB_REQUESTS
/* Copies one item with its contents. */
static void echo(void) {
	for (uint32_t items = 1; items; items--) {
		uint32_t n = sighub_get();
		uint8_t kind = sighub_kind;
		switch (kind) {
		case SIGHUB_NOTHING:
			sighub_fail(SIGHUB_TEXT("cannot be echoed"));
			return;
		case SIGHUB_HALF:
		case SIGHUB_SINGLE:
			sighub_put_byte(kind);
			for (int shift = kind == SIGHUB_HALF ? 8 : 24; shift >= 0; shift -= 8) sighub_put_byte((uint8_t)(n >> shift));
			continue;
		}
		if (kind == SIGHUB_DOUBLE) {
			sighub_put_byte(kind);
			for (int shift = 24; shift >= 0; shift -= 8) sighub_put_byte((uint8_t)(n >> shift));
			for (n = 4; n; n--) sighub_put_byte(sighub_get_byte());
			continue;
		}
		sighub_put(n, kind);
		if (n > 254) n = 255; /* of anything, does not fit anyway */
		if (kind == SIGHUB_BYTES || kind == SIGHUB_STRING) while (n--) sighub_put_byte(sighub_get_byte());
		if (kind == SIGHUB_ARRAY) items += n;
		if (kind == SIGHUB_MAP) items += 2 * n;
		if (kind == SIGHUB_TAG) items++;
	}
}

static void pick(void) {
	char key[4];
	float value = 0;
	uint32_t bits, pairs = sighub_get();
	if (sighub_kind != SIGHUB_MAP) {
		sighub_fail(SIGHUB_TEXT("no map"));
		return;
	}
	for (; pairs; pairs--) {
		if (!sighub_get_text(key, sizeof key)) {
			sighub_fail(SIGHUB_TEXT("a long key"));
			return;
		}
		if (strcmp(key, "x") ? !sighub_skip() : !sighub_get_float(&value)) {
			sighub_fail(SIGHUB_TEXT("not readable"));
			return;
		}
	}
	memcpy(&bits, &value, sizeof bits);
	sighub_put(bits, SIGHUB_UNSIGNED);
}

void sighub_request(uint8_t request) {
	static unsigned times;
	executed++;
	if (request == 1) {
		echo();
	} else if (request == 2) {
		sighub_put_array(1); /* and then it fails */
		sighub_fail(SIGHUB_TEXT("as you wish"));
	} else if (request == 3) {
		sighub_put(++times, SIGHUB_UNSIGNED);
	} else if (request == 4) {
		pick();
	} else {
		sighub_fail(SIGHUB_TEXT("no such request"));
	}
}
#endif

static void fail(const char *what) {
	perror(what);
	exit(1);
}

/* Reads exactly so many bytes; 0 at the end of stdin. */
static int take(uint8_t *to, size_t n) {
	if (fread(to, 1, n, stdin) == n) return 1;
	if (ferror(stdin)) fail("host: read from stdin");
	return 0;
}

static uint32_t number(const uint8_t *p, int bytes) {
	uint32_t n = 0;
	while (bytes--) n = n << 8 | *p++;
	return n;
}

static void answer(uint32_t n, int bytes) {
	while (bytes--) putchar((int)(n >> 8 * bytes & 255));
}

static int lockstep(void) {
	uint8_t command, p[9];
	static uint8_t bytes[65536];
	while (take(&command, 1)) {
		switch (command) {
		case 'B':
			if (!take(p, 9)) return 1;
			device.kept = p[0];
			device.boot = number(p + 1, 4);
			answer(sighub_begin(&device, number(p + 5, 4)), 1);
			break;
		case 'P':
			if (!take(p, 6)) return 1;
			room = number(p + 4, 2);
			sent_size = 0;
			sighub_poll(number(p, 4));
			answer(sighub_connected(), 1);
			answer(sighub_waiting(), 2);
			answer(executed, 2);
			answer((uint32_t)sent_size, 2);
			fwrite(sent, 1, sent_size, stdout);
			break;
		case 'R': {
			if (!take(p, 2)) return 1;
			size_t n = number(p, 2);
			if (!take(bytes, n)) return 1;
			for (size_t i = 0; i < n; i++) sighub_rx(bytes[i]);
			answer(executed, 2);
			break;
		}
		case 'V':
			if (!take(p, 9)) return 1;
			answer(sighub_report(p[0], (int32_t)number(p + 1, 4), number(p + 5, 4)), 1);
			break;
		case 'F': {
			if (!take(p, 9)) return 1;
#if SIGHUB_FLOAT
			uint32_t bits = number(p + 1, 4);
			float value;
			memcpy(&value, &bits, 4);
			answer(sighub_report_float(p[0], value, number(p + 5, 4)), 1);
#else
			answer(2, 1);
#endif
			break;
		}
		case 'S':
			answer(sighub_refused(), 1);
			answer((uint8_t)sighub_refusal(), 1);
			break;
		default:
			fprintf(stderr, "host: there is no command %u\n", command);
			return 1;
		}
		if (fflush(stdout)) fail("host: write to stdout");
	}
	return 0;
}

static uint64_t milliseconds(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int open_line(const char *path) {
	struct termios t;
	int line = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
	if (line < 0 || tcgetattr(line, &t)) fail(path);
	t.c_iflag = t.c_oflag = t.c_lflag = 0;
	t.c_cflag = CS8 | CREAD | CLOCAL;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	cfsetispeed(&t, B115200);
	cfsetospeed(&t, B115200);
	if (tcsetattr(line, TCSANOW, &t)) fail(path);
	return line;
}

/* Runs until the line is closed, or for so many seconds (0: without end), and prints how many readings the ring took. */
static int real_time(const char *path, uint32_t rate, uint64_t seconds) {
	uint8_t bytes[1024];
	int line = open_line(path);
	uint64_t begin = milliseconds(), now = begin;
	uint32_t count = 0, refused = 0, asked = 0;
	room = 512; /* a transmitter's buffer */
	if (!sighub_begin(&device, 0)) return 1;
	while (!seconds || now - begin < seconds * 1000) {
		struct pollfd p = {line, (short)(sent_size ? POLLIN | POLLOUT : POLLIN), 0};
		if (poll(&p, 1, 1) < 0 && errno != EINTR) fail("host: poll");
		ssize_t n = read(line, bytes, sizeof bytes);
		if (!n || (n < 0 && errno != EAGAIN)) break;
		for (ssize_t i = 0; i < n; i++) sighub_rx(bytes[i]);
		now = milliseconds();
		uint32_t time = (uint32_t)(now - begin);
		if (rate) {
			for (; asked < (now - begin) * rate / 1000; asked++) {
				if (sighub_report(0, (int32_t)count, time)) count++;
				else refused++;
			}
		} else if (sighub_connected()) {
			while (sighub_waiting() + 9 <= SIGHUB_RING && sighub_report(0, (int32_t)count, time)) count++;
		}
		sighub_poll(time);
		n = write(line, sent, sent_size);
		if (n < 0 && errno != EAGAIN) break;
		if (n > 0) {
			sent_size -= (size_t)n;
			memmove(sent, sent + n, sent_size);
		}
	}
	printf("%u readings taken, %u refused, %u bytes waiting, %.1f s\n", (unsigned)count, (unsigned)refused,
	       (unsigned)sighub_waiting(), (double)(now - begin) / 1000);
	return 0;
}

int main(int count, char **arguments) {
	const char *line = NULL;
	uint32_t rate = 0;
	int i;
	device.boot = (uint32_t)time(NULL);
	for (i = 1; i + 1 < count && arguments[i][0] == '-'; i += 2) {
		char *value = arguments[i + 1];
		if (!strcmp(arguments[i], "--uid") && *value && strlen(value) <= 12) {
			device.uid = (const uint8_t *)value;
			device.uid_size = (uint8_t)strlen(value);
		} else if (!strcmp(arguments[i], "--rate")) {
			rate = (uint32_t)strtoul(value, NULL, 10);
		} else if (!strcmp(arguments[i], "--line")) {
			line = value;
		} else {
			break;
		}
	}
	if (i + (line != NULL) < count || (i < count && arguments[i][0] == '-')) {
		fprintf(stderr, "usage: host [--uid TEXT] [--rate N] [--line PATH [SECONDS]]\n");
		return 2;
	}
	return line ? real_time(line, rate, i < count ? strtoull(arguments[i], NULL, 10) : 0) : lockstep();
}
