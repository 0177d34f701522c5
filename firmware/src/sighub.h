/* sighub: a device on a hub's serial line, in C99, without malloc and without dependencies.
 *
 * The device reports readings; the hub acknowledges them, stamps them with the time they were taken, and hands them to
 * whoever listens. What is not acknowledged waits here, is sent again, and survives a cable that is pulled. The hub
 * may ask requests. What goes over the line is described in firmware-protocol.md; this is its compact level.
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

/* ---- Configuration: give these to the compiler for all files alike, as in -DSIGHUB_RING=40. The defaults suit a
 * microcontroller with 2 KB of RAM. */

#ifndef SIGHUB_FRAME
#define SIGHUB_FRAME 60 /* bytes of the largest frame on the line, 60 to 254; two buffers have this size */
#endif
#ifndef SIGHUB_WINDOW
#define SIGHUB_WINDOW 1 /* frames that may be unanswered in each direction: 1, 2, 4 or 8 */
#endif
#ifndef SIGHUB_RING
#define SIGHUB_RING 48 /* bytes of readings that may wait to be acknowledged, 20 to 16384; one takes 2 to 14, commonly 5 */
#endif
#ifndef SIGHUB_EVENTS
#define SIGHUB_EVENTS 2 /* events that the dictionary may have, 1 to 64; 2 bytes each, or 4 */
#endif
#ifndef SIGHUB_REQUESTS
#define SIGHUB_REQUESTS 1 /* 0: the device answers no requests, and sighub_request is not needed */
#endif
#ifndef SIGHUB_KEPT
#define SIGHUB_KEPT SIGHUB_REQUESTS /* 0: what waits does not survive a reset, whatever sighub_device.kept says */
#endif
#ifndef SIGHUB_REPLY
#define SIGHUB_REPLY 20 /* bytes of the largest reply to a request with its status, 8 to SIGHUB_FRAME - 5 */
#endif
#ifndef SIGHUB_RECEIVE
#define SIGHUB_RECEIVE 60 /* bytes that your receive buffer holds while sighub_rx is not called */
#endif
#ifndef SIGHUB_BAUD
#define SIGHUB_BAUD 115200 /* the line's rate in bits per second, by which it is known how long answers take */
#endif
#ifndef SIGHUB_FLOAT
#ifdef __AVR__
#define SIGHUB_FLOAT 0 /* 1: readings may be floats, besides integers */
#else
#define SIGHUB_FLOAT 1
#endif
#endif
#ifndef SIGHUB_KEEP
#if defined __AVR__ && SIGHUB_KEPT
#define SIGHUB_KEEP __attribute__((section(".noinit")))
#else
#define SIGHUB_KEEP /* attribute of memory that no start clears; only with it may sighub_device.kept be set */
#endif
#endif

/* Constant data that AVR microcontrollers leave in their flash. */
#ifdef __AVR__
#include <avr/pgmspace.h>
#define SIGHUB_FLASH PROGMEM
#define SIGHUB_FLASH_BYTE(p) pgm_read_byte(p)
#define SIGHUB_TEXT(text) PSTR(text) /* a text for name, firmware and sighub_fail; inside functions */
#else
#define SIGHUB_FLASH
#define SIGHUB_FLASH_BYTE(p) (*(const uint8_t *)(p))
#define SIGHUB_TEXT(text) (text)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The dictionary: names of senders, events and requests. Only their numbers travel with readings. Events count
 * from 0 and requests from 1, each over the whole dictionary. Units are those of RFC 8428 (SenML): "lx", "Cel", "%RH",
 * "Pa", "V", "A", "W", "m", "Hz" and so on. A DECIMAL event's readings are integers in units of 10^exponent: with -2,
 * 2345 is 23.45. */

#define SIGHUB_DICTIONARY(entries) const char sighub_dictionary[] SIGHUB_FLASH = entries
#define SIGHUB_SENDER(name) "\1" name
#define SIGHUB_EVENT(name, unit) "\2" name "\3" unit
#define SIGHUB_DECIMAL(name, unit, exponent) "\2" name "\3" unit "\4" #exponent
#define SIGHUB_REQUEST(name) "\5" name

extern const char sighub_dictionary[];

/* ---- The device. */

typedef struct {
	const uint8_t *uid;   /* the device's lasting identity: its chip's serial number, or one you gave it */
	uint8_t uid_size;     /* 1 to 12 bytes */
	const char *name;     /* for people; in flash, see SIGHUB_TEXT; up to 23 bytes */
	const char *firmware; /* its version, for people; in flash; name and firmware together up to 25 bytes less uid_size: HELLO has no room for more */
	uint32_t boot;        /* differs at each start: a counter in EEPROM, or random */
	uint8_t cause;        /* of the reset, in numbers of your own; is logged by the hub */
	uint8_t kept;         /* 1: the RAM survived (a watchdog's or a button's reset, not lost power), see SIGHUB_KEEP and SIGHUB_KEPT; then
	                         times must go on, too, and not begin anew: keep your own clock in such memory */
} sighub_device;

/* Starts the library, or starts it anew; call it first of all. The device must stay as it is. Times are in milliseconds,
 * from any beginning, and wrap after 32 bits. Returns how many events the dictionary has, or 0 if that is more than
 * SIGHUB_EVENTS: then no reading is taken. */
uint8_t sighub_begin(const sighub_device *device, uint32_t now);

/* Does what is due. Call it often: each call hands over what the transmitter takes, and time is counted in steps of
 * 16 ms; gaps of seconds do no harm but that the hub must wait for answers. */
void sighub_poll(uint32_t now);

/* Takes a byte that was received. It may call sighub_request. */
void sighub_rx(uint8_t byte);

/* Queues a reading of an event, taken at a time not after that of the next call of sighub_poll. Returns 0 if there is
 * no room: the loss is counted (up to 65,535 on small devices), and told to those who listen with the next reading of that
 * event which finds room. Inside sighub_request nothing is queued and nothing counted: note it, and report it later. */
uint8_t sighub_report(uint8_t event, int32_t value, uint32_t taken);
#if SIGHUB_FLOAT
uint8_t sighub_report_float(uint8_t event, float value, uint32_t taken);
#endif

uint8_t sighub_connected(void); /* not 0 while the hub knows the device */
uint16_t sighub_waiting(void);  /* bytes of readings that are not acknowledged: 0 to SIGHUB_RING */

/* ---- What you provide. */

/* Sends a byte if that is possible at once, and returns whether it was: 0 means "later". */
uint8_t sighub_write(uint8_t byte);

#if SIGHUB_REQUESTS
/* Answers a request of the dictionary, with the functions below. It is called once for each, and must not wait. What
 * it puts is the response: one item of CBOR, an array or a map with what is in it; nothing: null. */
void sighub_request(uint8_t request);

/* Makes the request fail with this text (in flash, up to SIGHUB_REPLY - 2 and 23 bytes), whatever was put
 * before. */
void sighub_fail(const char *text);
#endif

/* ---- CBOR (RFC 8949): the parameters of a request are read, the response is put, item by item. What does not fit
 * into SIGHUB_REPLY makes the request fail by itself. */

enum { /* kinds of items */
	SIGHUB_UNSIGNED = 0x00, SIGHUB_NEGATIVE = 0x20, SIGHUB_BYTES = 0x40, SIGHUB_STRING = 0x60,
	SIGHUB_ARRAY = 0x80, SIGHUB_MAP = 0xA0, SIGHUB_TAG = 0xC0, SIGHUB_SIMPLE = 0xE0,
	SIGHUB_HALF = 0xF9, SIGHUB_SINGLE = 0xFA, /* floats of 16 and 32 bits */
	SIGHUB_NOTHING = 255 /* the end, or what this library does not read: 64 bits, unknown lengths */
};

/* Reads the head of an item, puts its kind into sighub_kind, and returns: the number; -1 less it, if negative; the length
 * of bytes or a string; the number of items of an array, of pairs of a map; of a simple one 20 false, 21 true, 22 null;
 * the bits of a float. */
uint32_t sighub_get(void);
extern uint8_t sighub_kind;

/* Reads a byte of bytes or a string whose head was read; 0 behind the end. */
uint8_t sighub_get_byte(void);

/* Puts the head of an item: see sighub_get. */
void sighub_put(uint32_t n, uint8_t kind);
void sighub_put_byte(uint8_t byte);

static inline uint8_t sighub_get_int(int32_t *value) { /* returns 0 if it is no integer of 32 bits */
	uint32_t n = sighub_get();
	*value = sighub_kind ? (int32_t)~n : (int32_t)n;
	return sighub_kind <= SIGHUB_NEGATIVE && n < 0x80000000;
}

static inline uint8_t sighub_get_bool(uint8_t *value) { /* returns 0 if it is no truth value */
	uint32_t n = sighub_get();
	*value = n == 21;
	return sighub_kind == SIGHUB_SIMPLE && (n == 20 || n == 21);
}

/* Reads a string into a buffer of a size, with a zero at its end; returns 0 if it is no string or does not fit. */
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
static inline void sighub_put_text(const char *text) { /* not in flash */
	uint8_t n = 0;
	while (text[n]) n++;
	sighub_put(n, SIGHUB_STRING);
	while (*text) sighub_put_byte((uint8_t)*text++);
}
#if SIGHUB_FLOAT
void sighub_put_float(float value);
#endif

#ifdef __cplusplus
}
#endif
#endif
