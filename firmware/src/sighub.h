/* sighub: a device on a hub's serial line, in C99, without malloc and without dependencies.
 *
 * The device reports readings. The hub acknowledges them, gives them the time at which they were taken, and passes them on
 * to listeners. Readings that are not acknowledged wait here and are sent again, even if the cable is pulled meanwhile. The
 * hub may send requests. The protocol is described in firmware-protocol.md; this library uses its compact level.
 *
 *     SIGHUB_DICTIONARY(SIGHUB_SENDER("light") SIGHUB_EVENT("lux", "lx"));        // in one file, outside functions
 *
 *     sighub_begin(&device, millis());                   // once
 *     for (;;) {                                         // never wait in here
 *         while (uart_has_byte()) sighub_rx(uart_read());
 *         sighub_poll(millis());
 *         if (there_is_a_reading) sighub_report(0, lux, millis());
 *     }
 *
 * None of these functions waits, and none may be called from an interrupt. There is one line per program.
 */
#ifndef SIGHUB_H
#define SIGHUB_H

#include <stdint.h>

/* ---- Configuration: give these to the compiler, the same for all files, for example -DSIGHUB_RING=40. The defaults
 * suit a microcontroller with 2 KB of RAM. */

#ifndef SIGHUB_FRAME
#define SIGHUB_FRAME 60 /* bytes of the largest frame on the line, 60 to 254; two buffers have this size */
#endif
#ifndef SIGHUB_WINDOW
#define SIGHUB_WINDOW 1 /* frames that may be unanswered in each direction: 1, 2, 4 or 8 */
#endif
#ifndef SIGHUB_RING
#define SIGHUB_RING 48 /* bytes for readings that wait to be acknowledged, 20 to 16384; each takes 2 to 14, commonly 5 */
#endif
#ifndef SIGHUB_EVENTS
#define SIGHUB_EVENTS 2 /* largest number of events in the dictionary, 1 to 64; 2 or 4 bytes each */
#endif
#ifndef SIGHUB_REQUESTS
#define SIGHUB_REQUESTS 1 /* 0: the device answers no requests, and sighub_request is not needed */
#endif
#ifndef SIGHUB_KEPT
#define SIGHUB_KEPT SIGHUB_REQUESTS /* 0: waiting readings do not survive a reset, whatever sighub_device.kept is */
#endif
#ifndef SIGHUB_REPLY
#define SIGHUB_REPLY 20 /* bytes of the largest reply to a request, with its status, 8 to SIGHUB_FRAME - 5 */
#endif
#ifndef SIGHUB_RECEIVE
#define SIGHUB_RECEIVE 60 /* bytes that your receive buffer can hold until sighub_rx is called */
#endif
#ifndef SIGHUB_BAUD
#define SIGHUB_BAUD 115200 /* the rate of the line in bits per second; it determines how long to wait for answers */
#endif
#ifndef SIGHUB_FLOAT
#ifdef __AVR__
#define SIGHUB_FLOAT 0 /* 1: readings may be integers or floats */
#else
#define SIGHUB_FLOAT 1
#endif
#endif
#ifndef SIGHUB_KEEP
#if defined __AVR__ && SIGHUB_KEPT
#define SIGHUB_KEEP __attribute__((section(".noinit")))
#else
#define SIGHUB_KEEP /* the attribute of memory that no start clears; sighub_device.kept needs it */
#endif
#endif

/* Constant data, which AVR microcontrollers keep in flash. */
#ifdef __AVR__
#include <avr/pgmspace.h>
#define SIGHUB_FLASH PROGMEM
#define SIGHUB_FLASH_BYTE(p) pgm_read_byte(p)
#define SIGHUB_TEXT(text) PSTR(text) /* a text for name, firmware and sighub_fail; for use inside functions */
#else
#define SIGHUB_FLASH
#define SIGHUB_FLASH_BYTE(p) (*(const uint8_t *)(p))
#define SIGHUB_TEXT(text) (text)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The dictionary: the names of senders, events and requests. Readings have only numbers. Events are numbered from
 * 0 and requests from 1, through the whole dictionary. Units are those of RFC 8428 (SenML): "lx", "Cel", "%RH",
 * "Pa", "V", "A", "W", "m", "Hz" and so on. A DECIMAL event's readings are integers in units of 10^exponent: with -2,
 * 2345 is 23.45. */

#define SIGHUB_SENDER(name) "\1" name
#define SIGHUB_EVENT(name, unit) "\2" name "\3" unit SIGHUB_COUNT_EVENT
#define SIGHUB_PLAIN_EVENT(name) "\2" name SIGHUB_COUNT_EVENT /* without a unit, such as "open" */
#define SIGHUB_DECIMAL(name, unit, exponent) "\2" name "\3" unit "\4" #exponent SIGHUB_COUNT_EVENT
#define SIGHUB_REQUEST(name) "\5" name

/* Each event increments the compiler's counter, so that SIGHUB_DICTIONARY can check that there are not too many. The
 * dictionary's macros are expanded after "enum", because an argument behind ",##" is not expanded before. */
#ifdef __COUNTER__
#if defined __clang__
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wgnu-zero-variadic-macro-arguments"
#endif
#define SIGHUB_COUNT_EVENT SIGHUB_COUNTED(__COUNTER__)
#define SIGHUB_COUNTED(n) SIGHUB_NO_TEXT(n)
#define SIGHUB_NO_TEXT(n) ""
#define SIGHUB_DICTIONARY(...) \
	enum { sighub_counter = __COUNTER__ }; \
	SIGHUB_COUNTED_DICTIONARY(, ##__VA_ARGS__)
#define SIGHUB_COUNTED_DICTIONARY(nothing, ...) \
	const char sighub_dictionary[] SIGHUB_FLASH = __VA_ARGS__; \
	SIGHUB_CHECK(__COUNTER__ - sighub_counter - 1 <= SIGHUB_EVENTS, "the dictionary has more events than SIGHUB_EVENTS: define a larger one")
#if defined __clang__
#pragma clang diagnostic pop
#endif
#else
#define SIGHUB_COUNT_EVENT ""
#define SIGHUB_DICTIONARY(entries) const char sighub_dictionary[] SIGHUB_FLASH = entries
#endif
#if defined __cplusplus && __cplusplus >= 201103L
#define SIGHUB_CHECK(condition, text) static_assert(condition, text)
#elif defined __GNUC__ && !defined __cplusplus
#define SIGHUB_CHECK(condition, text) __extension__ _Static_assert(condition, text)
#else
#define SIGHUB_CHECK(condition, text) typedef char sighub_too_many_events[(condition) ? 1 : -1]
#endif

extern const char sighub_dictionary[];

/* ---- The device. */

typedef struct {
	const uint8_t *uid;   /* the lasting identity of the device: the serial number of its chip, or one that you choose */
	uint8_t uid_size;     /* 1 to 12 bytes */
	const char *name;     /* for people to read; in flash, see SIGHUB_TEXT; up to 23 bytes */
	const char *firmware; /* its version, for people to read; in flash; name and firmware may have 25 - uid_size bytes together: that fits into HELLO */
	uint32_t boot;        /* different at each start: a counter in EEPROM, or random */
	uint8_t cause;        /* of the reset, yours to define; the hub logs it */
	uint8_t kept;         /* 1: the RAM survived (a reset by watchdog or button, not a loss of power), see SIGHUB_KEEP and SIGHUB_KEPT;
	                         then your clock must continue too, so keep it in such memory */
} sighub_device;

/* Starts the library, or restarts it. Call it before all others. *device must not change after that. Times are in
 * milliseconds since any moment, and wrap around after 32 bits. Returns 0 if the dictionary has more events than
 * SIGHUB_EVENTS: then no reading is accepted, and the hub shows that in "sighub ports". */
uint8_t sighub_begin(const sighub_device *device, uint32_t now);

/* Does what is due. Call it often: each call gives the transmitter what it accepts, and time is counted in steps of
 * 16 ms. Gaps of seconds do no harm, but the hub must wait for answers. */
void sighub_poll(uint32_t now);

/* Processes a received byte. It may call sighub_request. */
void sighub_rx(uint8_t byte);

/* Queues a reading of an event. It must not be taken later than the next call of sighub_poll. Returns 0 if there is no
 * room: the library counts the loss (up to 65,535 on small devices), and listeners are told of it with the next reading of
 * that event that fits. Do not call it in sighub_request, where it does nothing: remember the reading and report it later. */
uint8_t sighub_report(uint8_t event, int32_t value, uint32_t taken);
#if SIGHUB_FLOAT
uint8_t sighub_report_float(uint8_t event, float value, uint32_t taken);
#endif

uint8_t sighub_connected(void); /* not 0 while the device has a session with the hub */
uint16_t sighub_waiting(void);  /* bytes of unacknowledged readings: 0 to SIGHUB_RING */

/* How many frames the hub has refused, in whole or in part, since the program started, modulo 256: their readings are gone,
 * and the hub shows why in "sighub ports". */
static inline uint8_t sighub_refused(void);

/* Why it refused the latest: the status in its answer, -1 and less, see section 4 of firmware-protocol.md. 0: it has refused
 * nothing. */
static inline int8_t sighub_refusal(void);

/* ---- Functions that you write. */

/* Sends a byte if that is possible at once, and returns 1, or else 0: the library tries again later. It must not wait. */
uint8_t sighub_write(uint8_t byte);

#if SIGHUB_REQUESTS
/* Answers a request of the dictionary, with the functions below. It is called once for each request, and must not wait.
 * What it puts is the response: one CBOR item, which may be an array or a map with its contents. Without it, null. */
void sighub_request(uint8_t request);

/* Makes the request fail with this text (in flash, up to SIGHUB_REPLY - 2 and at most 23 bytes), whatever was put
 * before. */
void sighub_fail(const char *text);
#endif

/* ---- CBOR (RFC 8949): get the parameters of a request and put the response, item by item. If a response does not fit
 * into SIGHUB_REPLY, the request fails. */

enum { /* kinds of items */
	SIGHUB_UNSIGNED = 0x00, SIGHUB_NEGATIVE = 0x20, SIGHUB_BYTES = 0x40, SIGHUB_STRING = 0x60,
	SIGHUB_ARRAY = 0x80, SIGHUB_MAP = 0xA0, SIGHUB_TAG = 0xC0, SIGHUB_SIMPLE = 0xE0,
	SIGHUB_HALF = 0xF9, SIGHUB_SINGLE = 0xFA, /* floats of 16 and 32 bits */
	SIGHUB_DOUBLE = 0xFB, /* a float of 64 bits: sighub_get returns its upper half, and sighub_get_byte the other bytes */
	SIGHUB_NOTHING = 255 /* the end, or an item that this library does not support: 64 bits, unknown lengths */
};

/* Gets the head of an item, sets sighub_kind, and returns: the number; for a negative number n, -1 - n; the length of
 * bytes or a string; the number of items of an array or of pairs of a map; for a simple item 20 (false), 21 (true) or 22
 * (null); the bits of a float. */
uint32_t sighub_get(void);
extern uint8_t sighub_kind;

/* Gets the next byte of bytes or a string after its head; 0 after the end. */
uint8_t sighub_get_byte(void);

/* Puts the head of an item: see sighub_get. */
void sighub_put(uint32_t n, uint8_t kind);
void sighub_put_byte(uint8_t byte);

static inline uint8_t sighub_get_int(int32_t *value) { /* returns 0 if the item is not an integer of 32 bits */
	uint32_t n = sighub_get();
	*value = sighub_kind ? (int32_t)~n : (int32_t)n;
	return sighub_kind <= SIGHUB_NEGATIVE && n < 0x80000000;
}

/* Gets a number of any kind; returns 0 if the item is none. A float of 64 bits is rounded towards 0. */
static inline uint8_t sighub_get_float(float *value) {
	uint32_t n = sighub_get(), sign = n & 0x80000000;
	int16_t exponent = (int16_t)(n >> 20 & 0x7FF);
	union {
		uint32_t bits;
		float value;
	} u;
	switch (sighub_kind) {
	case SIGHUB_UNSIGNED:
		*value = (float)n;
		return 1;
	case SIGHUB_NEGATIVE:
		*value = -1 - (float)n;
		return 1;
	case SIGHUB_HALF:
		sign = (n & 0x8000) << 16;
		exponent = (int16_t)(n >> 10 & 31);
		if (!exponent) { /* 0, or a multiple of 2^-24 */
			*value = (float)(n & 0x3FF) * 5.9604644775390625e-8f;
			if (sign) *value = -*value;
			return 1;
		}
		u.bits = sign | (exponent == 31 ? 0xFF : (uint32_t)exponent + 112) << 23 | (n & 0x3FF) << 13;
		break;
	case SIGHUB_SINGLE:
		u.bits = n;
		break;
	case SIGHUB_DOUBLE:
		n = (n & 0xFFFFF) << 3 | sighub_get_byte() >> 5;
		sighub_get_byte();
		sighub_get_byte();
		sighub_get_byte();
		exponent = (int16_t)(exponent - 896); /* it is 0 at 1023, and in a float at 127 */
		if (exponent >= 255) { /* infinite, not a number, or larger than any float */
			if (exponent < 0x7FF - 896) n = 0;
			exponent = 255;
		} else if (exponent <= 0) { /* smaller than any float with all its digits */
			exponent = 0;
			n = 0;
		}
		u.bits = sign | (uint32_t)exponent << 23 | n;
		break;
	default:
		return 0;
	}
	*value = u.value;
	return 1;
}

/* Skips an item with all its contents, such as the value of an unknown key. Returns 0 if that is not possible, because the
 * item does not say how long it is. */
static inline uint8_t sighub_skip(void) {
	uint32_t items = 1, n;
	for (; items; items--) {
		uint8_t size = sighub_get_byte(), kind = size & 0xE0;
		size &= 31;
		n = size;
		if (size > 27) return 0;
		if (size >= 24) {
			n = 0;
			for (size = (uint8_t)(1 << (size - 24)); size; size--) n = n << 8 | sighub_get_byte();
		}
		if (kind >= SIGHUB_BYTES && kind < SIGHUB_TAG && n > 255) return 0; /* more than a frame */
		if (kind == SIGHUB_BYTES || kind == SIGHUB_STRING) while (n--) sighub_get_byte();
		if (kind == SIGHUB_ARRAY) items += n;
		if (kind == SIGHUB_MAP) items += 2 * n;
		if (kind == SIGHUB_TAG) items++;
	}
	return 1;
}

static inline uint8_t sighub_get_bool(uint8_t *value) { /* returns 0 if the item is not a boolean */
	uint32_t n = sighub_get();
	*value = n == 21;
	return sighub_kind == SIGHUB_SIMPLE && (n == 20 || n == 21);
}

/* Gets a string into a buffer of this size, with a zero at its end. Returns 0 if the item is not a string or too long. */
static inline uint8_t sighub_get_text(char *buffer, uint8_t size) {
	uint32_t n = sighub_get();
	if (sighub_kind != SIGHUB_STRING || n >= size) return 0;
	while (n--) *buffer++ = (char)sighub_get_byte();
	*buffer = 0;
	return 1;
}

static inline void sighub_put_int(int32_t value) {
	if (value < 0) sighub_put(~(uint32_t)value, SIGHUB_NEGATIVE);
	else sighub_put((uint32_t)value, SIGHUB_UNSIGNED);
}
static inline void sighub_put_bool(uint8_t value) { sighub_put_byte(value ? 0xF5 : 0xF4); }
static inline void sighub_put_null(void) { sighub_put_byte(0xF6); }
static inline void sighub_put_array(uint8_t items) { sighub_put(items, SIGHUB_ARRAY); }
static inline void sighub_put_map(uint8_t pairs) { sighub_put(pairs, SIGHUB_MAP); }
static inline void sighub_put_text(const char *text) { /* text is not in flash */
	uint8_t n = 0;
	while (text[n]) n++;
	sighub_put(n, SIGHUB_STRING);
	while (*text) sighub_put_byte((uint8_t)*text++);
}
#if SIGHUB_FLOAT
void sighub_put_float(float value);
#endif

extern uint8_t sighub_refused_count, sighub_refused_status; /* read them with these functions: */
static inline uint8_t sighub_refused(void) { return sighub_refused_count; }
static inline int8_t sighub_refusal(void) {
	return (int8_t)(sighub_refused_status < SIGHUB_NEGATIVE ? sighub_refused_status : 0x1F - sighub_refused_status);
}

#ifdef __cplusplus
}
#endif
#endif
