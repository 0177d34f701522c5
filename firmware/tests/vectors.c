/* Checks the library against the vectors that the hub's tests also use, and then feeds it noise, with its memory checked
 * by the sanitizers.
 *
 *     vectors PATH/frames.json
 *
 * Prints how many vectors were right, or the name of the first that was not, and ends with 1. */

/* The dictionary changes from vector to vector, so to the library it is what a pointer points to. */
#define sighub_dictionary (*vectors_dictionary)
#include "../src/sighub.c"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON, as far as frames.json goes: its sections are arrays of flat or nested objects, its strings hold no quotes.
 * A vector is the text of one object; a field is found by its name, at the depth of the vector's own fields. */

static char *json;

typedef struct {
	const char *at, *end;
} text;

static const char *skip_string(const char *p) { /* p is behind its first quote */
	while (*p && *p != '"') p += *p == '\\' ? 2 : 1;
	return *p ? p + 1 : p;
}

static const char *skip_value(const char *p) {
	int depth = 0;
	do {
		if (*p == '"') {
			p = skip_string(p + 1);
			continue;
		}
		if (*p == '{' || *p == '[') depth++;
		if (*p == '}' || *p == ']') {
			if (!depth) return p;
			depth--;
		}
		p++;
	} while (*p && (depth || (*p != ',' && *p != '}' && *p != ']')));
	return p;
}

/* Finds a field of an object; what is returned is empty if there is none. */
static text field(text object, const char *name) {
	size_t size = strlen(name);
	const char *p = object.at + 1;
	while (p < object.end) {
		while (p < object.end && *p != '"') p++;
		if (p >= object.end) break;
		const char *key = p + 1;
		p = skip_string(key);
		int found = (size_t)(p - 1 - key) == size && !memcmp(key, name, size);
		while (*p == ':' || *p == ' ') p++;
		text value = {p, skip_value(p)};
		if (found) return value;
		p = value.end;
	}
	return (text){object.end, object.end};
}

/* Finds the next object of a section. */
static int next_vector(text *section, text *vector) {
	const char *p = section->at;
	while (p < section->end && *p != '{') p++;
	if (p >= section->end) return 0;
	vector->at = p;
	vector->end = section->at = skip_value(p);
	return 1;
}

static unsigned long number_of(text t) { return strtoul(t.at, NULL, 10); }

static int digit(char c) { return c <= '9' ? c - '0' : (c | 32) - 'a' + 10; }

/* Reads a string of hexadecimal digits; returns its bytes. */
static size_t hex(text t, uint8_t *to, size_t most) {
	size_t n = 0;
	for (const char *p = t.at + 1; p + 1 < t.end && *p != '"' && n < most; p += 2)
		to[n++] = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
	return n;
}

/* ---- The application. */

static char dictionary[32768] = "\1a\2b\2c";
const char (*vectors_dictionary)[] = (const char (*)[])&dictionary;

static uint8_t wire[4096]; /* what the transmitter has accepted */
static size_t wire_size, wire_room = sizeof wire;

uint8_t sighub_write(uint8_t byte) {
	if (wire_size == wire_room) return 0;
	wire[wire_size++] = byte;
	return 1;
}

#if SIGHUB_REQUESTS
void sighub_request(uint8_t request) { /* noise calls it too, so it accepts anything */
	uint32_t n = sighub_get();
	uint8_t kind = sighub_kind;
	if (request & 1) sighub_fail(SIGHUB_TEXT("an error whose text is too long to fit into many a reply, on purpose"));
	if (request & 2) sighub_put(n, kind);
	if (request & 4) while (n-- % 300) sighub_put_byte(sighub_get_byte());
	if (request & 8) sighub_fail(SIGHUB_TEXT("short"));
}
#endif

static int vectors;

static void check(int right, const char *section, text vector) {
	vectors++;
	if (right) return;
	text name = field(vector, "name");
	if (name.at == name.end) name = vector;
	fprintf(stderr, "vectors: wrong: %s %.*s\n", section, (int)(name.end - name.at), name.at);
	exit(1);
}

/* ---- The sections. */

static uint8_t plain[4096], stuffed[4096], decoded[4096];

static void receive(const uint8_t *bytes, size_t n) {
	for (size_t i = 0; i < n; i++) sighub_rx(bytes[i]);
}

/* Receives stuffed bytes without the zero, so that the library has them unstuffed; returns whether they were right. */
static int unstuff(const uint8_t *bytes, size_t n, const uint8_t *wanted, size_t size) {
	sighub_rx(0);
	receive(bytes, n);
	int right = !state.rx_left && state.rx_size == size + 1 && !memcmp(rx + 1, wanted, size);
	state.rx_size = state.rx_left = 0;
	return right;
}

static void cobs(text v) {
	text repeat = field(v, "repeat");
	size_t size = hex(field(v, "plain"), plain, sizeof plain), n = hex(field(v, "stuffed"), stuffed, sizeof stuffed);
	if (repeat.at != repeat.end) {
		size_t times = number_of(repeat), one = size;
		for (size = 0; size < one * times; size++) plain[size] = plain[size % one];
	}
	if (size < 2 || size > SIGHUB_FRAME - 2) return; /* not a frame of this build */
	check(unstuff(stuffed, n, plain, size), "cobs", v);
}

static void crc(text v) {
	uint8_t start[2], wanted[2];
	hex(field(v, "start"), start, 2);
	hex(field(v, "crc"), wanted, 2);
	size_t n = hex(field(v, "data"), plain, sizeof plain);
	if (!n) return; /* no frame is empty */
	if (plain[0] < 0x20 && (start[0] & start[1]) != 0xFF) return; /* a HELLO, which starts from FFFF */
	state.session.n = (uint16_t)(start[0] << 8 | start[1]);
	check(crc16(plain, (uint8_t)n) == (wanted[0] << 8 | wanted[1]), "crc", v);
}

static void set_session(text v) {
	uint8_t session[2];
	hex(field(v, "session"), session, 2);
	state.session.n = (uint16_t)(session[0] << 8 | session[1]);
}

static int from_hub(text v) { return field(v, "from").at[1] == 'h'; }

/* Makes a frame of the device as the library sends it, or receives one of the hub. */
static void frame_vector(text v) {
	size_t n = hex(field(v, "payload"), plain, sizeof plain), size = hex(field(v, "wire"), stuffed, sizeof stuffed);
	uint8_t control = (uint8_t)(number_of(field(v, "type")) << 5 | number_of(field(v, "number")));
	set_session(v);
	if (size > SIGHUB_FRAME) return;
	if (!from_hub(v)) {
		open_frame(control);
		if (n) put_copy(plain, (uint8_t)n);
		close_frame(&state);
		while (out[state.out_at] == 0) state.out_at++;
		check((size_t)(state.out_end - state.out_at) == size && !memcmp(out + state.out_at, stuffed, size), "frames, sent:", v);
		state.out_at = state.out_end;
	} else {
		sighub_rx(0);
		receive(stuffed, size - 1);
		state.bad = 1;
		decoded[0] = control;
		check(rx[1] == control && !memcmp(rx + 2, plain, n), "frames, received:", v);
		sighub_rx(0);
		check(state.bad == 0, "frames, accepted:", v);
	}
}

static void bad(text v) {
	if (!from_hub(v)) return; /* some are frames of the hub, that only the hub must not take */
	size_t n = hex(field(v, "wire"), stuffed, sizeof stuffed);
	sighub_rx(0);
	set_session(v);
	state.bad = 0;
	state.silent = 7;
	receive(stuffed, n);
	int echo = field(v, "echo").at != field(v, "echo").end;
	check((state.bad == 0) == echo && state.silent == 7, "bad", v); /* a zero inside makes two of one */
}

static void dictionary_vector(text v) {
	static const sighub_device device = {(const uint8_t *)"u", 1, "", "", 1, 0, 0};
	if (field(v, "error").at != field(v, "error").end) return;
	size_t n = hex(field(v, "text"), (uint8_t *)dictionary, sizeof dictionary - 1);
	dictionary[n] = 0;
	sighub_begin(&device, 0);
	uint32_t hash = 2166136261; /* FNV-1a */
	for (size_t i = 0; i < n; i++) hash = (hash ^ (uint8_t)dictionary[i]) * 16777619;
	text wanted = field(v, "fnv1a");
	check(read_dictionary() == hash && (wanted.at == wanted.end || hash == strtoul(wanted.at + 1, NULL, 16)), "dictionaries", v);
}

/* Reads an integer of up to 32 bits, as the hub's side writes it; returns 0 if the bytes are none. */
static int integer(const uint8_t *p, size_t n, int32_t *value) {
	uint32_t bits = 0;
	size_t size = n > 1 ? (size_t)1 << (*p & 31) % 24 : 0;
	if (!n || *p >= 0x40 || (*p & 31) > 26 || n != 1 + size) return 0;
	if (!size) bits = *p & 31;
	for (size_t i = 1; i <= size; i++) bits = bits << 8 | p[i];
	*value = (int32_t)(*p < 0x20 ? bits : ~bits);
	return 1;
}

/* Readings of events whose values are integers: what the library puts is what the hub expects, but for marks, which the
 * library puts where they are needed. */
static void reading_vector(text v) {
	static const sighub_device device = {(const uint8_t *)"u", 1, "", "", 1, 0, 0};
	text readings = field(v, "readings"), after = field(v, "after"), r;
	if (readings.at == readings.end || after.at == after.end) return;
	size_t size = hex(field(v, "payload"), stuffed, sizeof stuffed);
	size_t n = hex(field(v, "dictionary"), (uint8_t *)dictionary, sizeof dictionary - 1);
	dictionary[n] = 0;
	uint32_t ticks = (uint32_t)number_of(after);
	sighub_begin(&device, 0);
	state.last = ticks;
	while (next_vector(&readings, &r)) {
		uint32_t taken = (uint32_t)number_of(field(r, "ticks"));
		if (field(r, "event").at == field(r, "event").end) return; /* a gap */
		if (taken < ticks || taken - ticks > 10000) return;       /* this library marks such a time, others need not */
		int32_t value;
		if (!integer(plain, hex(field(r, "value"), plain, sizeof plain), &value)) return;
		sighub_report((uint8_t)number_of(field(r, "event")), value, taken);
		ticks = taken;
	}
	check(state.used == size && !memcmp(ring, stuffed, size), "readings", v);
}

/* A dictionary with more events than there is room for: nothing is reported, and HELLO says so. */
static void too_many_events(void) {
	static const sighub_device device = {(const uint8_t *)"u", 1, "", "", 1, 0, 0};
	for (int events = SIGHUB_EVENTS; events <= SIGHUB_EVENTS + 1; events++) {
		char *p = dictionary + sprintf(dictionary, "\1a");
		for (int i = 0; i < events; i++) p += sprintf(p, "\2e");
		uint8_t good = events == SIGHUB_EVENTS, began = sighub_begin(&device, 0), reported = sighub_report(0, 1, 0);
		wire_size = 0;
		sighub_poll(0);
		size_t n = 0; /* the bytes of HELLO, behind a zero and unstuffed, up to whether readings were kept */
		for (size_t i = 1, code = 1; n <= 13; i++) {
			if (--code) {
				plain[n++] = wire[i];
				continue;
			}
			code = wire[i];
			if (i > 1) plain[n++] = 0;
		}
		if ((began != 0) != good || reported != good || plain[13] != (good ? 0 : 2)) {
			fprintf(stderr, "vectors: wrong: %d events: began %d, reported %d, HELLO says %d\n", events, began, reported, plain[13]);
			exit(1);
		}
	}
}

static void section(const char *name, void (*run)(text)) {
	text all = {json, json + strlen(json)}, part = field(all, name), v;
	int before = vectors;
	while (next_vector(&part, &v)) run(v);
	if (vectors == before) {
		fprintf(stderr, "vectors: nothing was checked in section %s\n", name);
		exit(1);
	}
}

/* ---- Noise: nothing that arrives makes the library touch what is not its own, or forget its order. */

static uint32_t seed = 1;

static uint32_t random32(void) { /* xorshift */
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}

/* Receives a frame with a right CRC, of this or another session, and sometimes damages it. */
static void random_frame(void) {
	static const uint8_t kinds[] = {HELLO, EVT, ACK, MSG, REP, PING, 0xC0, 0xE0, ACK, MSG, MSG};
	uint8_t raw[64], wrapped[80];
	size_t n = 1 + random32() % 50, size = 1, code = 0;
	uint16_t session = state.session.n;
	raw[0] = kinds[random32() % sizeof kinds] | (random32() % 3 ? state.number : random32() & NUMBERS);
#if SIGHUB_REQUESTS
	if ((raw[0] & 0xE0) == MSG && random32() % 2) raw[0] = MSG | state.expects;
#endif
	for (size_t i = 1; i < n; i++) raw[i] = (uint8_t)(random32() % 4 ? random32() : random32() % 32);
	if (raw[0] < 0x20 && random32() % 2) { /* an answer to HELLO, more or less */
		static const uint8_t answer[] = {1, 0x19, 0x12, 0x34, 0x1A, 0, 0, 0, 0, 0x19, 0, 0x3C, 1, 0x18, 0x20};
		memcpy(raw + 1, answer, sizeof answer);
		raw[8] = (uint8_t)(state.ticks >> 8);
		raw[9] = (uint8_t)state.ticks;
		if (random32() % 2) raw[15] = state.number;
		n = 1 + sizeof answer;
	}
	if (random32() % 8 == 0) state.session.n ^= 1;
	uint16_t sum = crc16(raw, (uint8_t)n) ^ 0x9D71;
	state.session.n = session;
	raw[n++] = (uint8_t)(sum >> 8);
	raw[n++] = (uint8_t)sum;
	for (size_t i = 0; i < n; i++) { /* as in the first frame of a session, too: no run is longer than 254 */
		if (raw[i]) {
			wrapped[size++] = raw[i];
		} else {
			wrapped[code] = (uint8_t)(size - code);
			code = size++;
		}
	}
	wrapped[code] = (uint8_t)(size - code);
	if (random32() % 8 == 0) wrapped[random32() % size] ^= (uint8_t)(1 << random32() % 8);
	receive(wrapped, size);
	sighub_rx(0);
}

static int unsound(void) { /* a change was not finished */
#if SIGHUB_KEPT
	return state.broken & 1;
#else
	return 0;
#endif
}

static void noise(void) {
	static const uint8_t uid[12] = "twelve bytes";
	static sighub_device device = {uid, 12, "a name that is", "too long to fit into a frame of HELLO", 1, 2, 0};
	uint32_t now = 0, sessions = 0;
	strcpy(dictionary, "\1a\2b\2c\5d");
	sighub_begin(&device, now);
	for (int i = 0; i < 300000; i++) {
		uint32_t what = random32() % 16, connected = sighub_connected();
		if (what < 5) {
			random_frame();
		} else if (what < 7) {
			sighub_rx((uint8_t)random32());
		} else if (what < 12) {
			sighub_report((uint8_t)(random32() % 3), (int32_t)(random32() >> random32() % 32), now - random32() % 100);
		} else if (random32() % 4096 == 0) {
			device.kept ^= 1;
			device.boot++;
			sighub_begin(&device, now);
		} else {
			now += random32() % 1000 ? random32() % 30 : random32();
			wire_size = 0;
			wire_room = random32() % 100;
			sighub_poll(now);
		}
		sessions += !connected && sighub_connected();
		size_t flying = 0;
		for (int k = 0; k < SIGHUB_WINDOW; k++) flying += state.flight[k];
		if (state.used > SIGHUB_RING || flying > state.used || state.number > NUMBERS || unsound()) {
			fprintf(stderr, "vectors: broken by noise, step %d\n", i);
			exit(1);
		}
	}
	if (sessions < 10) {
		fprintf(stderr, "vectors: noise had only %u sessions\n", (unsigned)sessions);
		exit(1);
	}
}

int main(int count, char **arguments) {
	FILE *file = count == 2 ? fopen(arguments[1], "rb") : NULL;
	size_t n;
	if (!file) {
		fprintf(stderr, "usage: vectors PATH/frames.json\n");
		return 2;
	}
	json = calloc(1, 1 << 20);
	n = fread(json, 1, (1 << 20) - 1, file);
	fclose(file);
	if (!n) return 2;
	section("cobs", cobs);
	section("crc", crc);
	section("frames", frame_vector);
	section("bad", bad);
	section("dictionaries", dictionary_vector);
	section("readings", reading_vector);
	too_many_events();
	noise();
	free(json);
	printf("%d vectors\n", vectors);
	return 0;
}
