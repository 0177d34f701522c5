/* See sighub.h for what this does, and firmware-protocol.md for why. It is written for small code on 8-bit
 * microcontrollers: variables that are used often are together, in reach of a pointer and a displacement; numbers are as
 * narrow as possible; timers have 8 bits, in units of 16 ms; readings are packed when they are reported, so that a frame
 * is a copy of them.
 *
 * It is one file, because that is easy to copy into a program, and because the compiler sees all of it: with CBOR in a file of
 * its own it takes 6 bytes of flash more on an ATmega328P, and 16 more without requests, where it just fits into 1,536. */

#include "sighub.h"

#include <stddef.h>

/* Declared here because not every compiler for a microcontroller has string.h. */
void *memset(void *, int, size_t);
void *memmove(void *, const void *, size_t);

#ifdef __AVR__
/* Measured with avr-gcc 5.4: each of these optimizations makes the code larger. */
#pragma GCC optimize("no-tree-loop-im", "no-tree-coalesce-vars", "no-tree-scev-cprop")
#pragma GCC optimize("wrapv", "no-split-wide-types", "no-forward-propagate", "ira-algorithm=priority")
#endif

#if SIGHUB_FRAME < 60 || SIGHUB_FRAME > 254
#error "SIGHUB_FRAME is 60 to 254"
#endif
#if SIGHUB_WINDOW != 1 && SIGHUB_WINDOW != 2 && SIGHUB_WINDOW != 4 && SIGHUB_WINDOW != 8
#error "SIGHUB_WINDOW is 1, 2, 4 or 8"
#endif
#if SIGHUB_RING < 20 || SIGHUB_RING > 16384
#error "SIGHUB_RING is 20 to 16384"
#endif
#if SIGHUB_REPLY < 8 || SIGHUB_REPLY > SIGHUB_FRAME - 5
#error "SIGHUB_REPLY is 8 to SIGHUB_FRAME - 5"
#endif
#if SIGHUB_EVENTS < 1 || SIGHUB_EVENTS > 64
#error "SIGHUB_EVENTS is 1 to 64"
#endif

/* Control bytes, with the number 0. */
enum { HELLO = 0x00, EVT = 0x20, ACK = 0x40, MSG = 0x60, REP = 0x80, PING = 0xA0 };

enum { DONE = 0x00, NO_METHOD = 0x20, FAILED = 0x21, TOO_LARGE = 0x24 }; /* statuses, in CBOR */

/* The places of the numbers in the payload of an answer to HELLO; for TICKS, of the lower two bytes. */
enum { SESSION = 2, TICKS = 7, LARGEST = 10, WINDOW = 12, EXPECTS = 14 };

#define VERSION 1
#define MUTE 2 /* in HELLO, beside what was kept: the device reports nothing, because the dictionary has too many events */
#define NUMBERS 31   /* sequence numbers count modulo 32 */
#define HUB_FRAME 1  /* the CRC over a whole frame of the hub, with its own CRC */
#define ECHO 0xF0    /* the lower byte of that of one of ours, which the line returns: 1EF0 */
#define DEVICE_XOR 0x00FF /* what our CRC is combined with, so that we do not take our echo for the hub */
#define BAD_FRAMES 4 /* so many in a row make a new session due */

/* Sizes, in bytes. */
#define FRAME_LEAST 60 /* the largest frame that is allowed before HELLO is answered */
#define OVERHEAD 5     /* of a frame: code, control byte, CRC, zero */
#define MARK 5         /* of a time mark */

#define TEXT_MOST 23 /* of a text: then its length is in its head, which makes the code short */
#if SIGHUB_REQUESTS
#define PIECE (SIGHUB_REPLY - 3 < TEXT_MOST ? SIGHUB_REPLY - 3 : TEXT_MOST) /* of the dictionary, in a reply */
#else
#define PIECE TEXT_MOST
#endif

#define ANSWER 2048 /* ms that the answer to a HELLO may take */

/* Times, in units of 16 ms. */
#define GONE 250    /* of silence after which the hub counts as gone */
#define REPEAT 31   /* between HELLOs */
#define LINE (SIGHUB_WINDOW * SIGHUB_FRAME * 625L / SIGHUB_BAUD) /* how long the line takes for a window: 10 bits a byte */
#define RESEND (3 + (LINE < 90 ? LINE : 90)) /* then twice as long each time, but less than OVERDUE */
#define RESEND_MOST 48
#define OVERDUE 128 /* and leaves room to the end of the byte */

#if SIGHUB_RING < 255
typedef uint8_t ring_size;
typedef uint16_t lost_count;
#else
typedef uint16_t ring_size;
typedef uint32_t lost_count;
#endif

/* Whether HELLO must contain sizes, because they are not the defaults. */
#define LARGER (SIGHUB_RECEIVE != 60 || SIGHUB_FRAME != FRAME_LEAST || SIGHUB_WINDOW != 1)

/* If all waiting readings fit into one frame, with a mark, their sizes need not be measured. */
#define RING_FITS (SIGHUB_WINDOW == 1 && SIGHUB_RING <= FRAME_LEAST - OVERHEAD - MARK)

/* Whether anything is read that has no fixed place: parameters of requests, or the ring. */
#define READS (SIGHUB_REQUESTS || !RING_FITS)

/* Numbers and their bytes, see BYTE: shifts would move them all. */
typedef union {
	uint32_t n;
	uint8_t bytes[4];
} number;
typedef union {
	uint16_t n;
	uint8_t bytes[2];
} word;

/* Variables that are used most come first, in reach of short code; those that may survive a reset come before "clock". */
typedef struct {
#if SIGHUB_KEPT
	uint32_t hash;  /* of the dictionary, if what follows is valid */
#endif
	uint32_t ticks; /* now */
	uint32_t base;  /* ticks to which the oldest reading is relative */
	uint32_t last;  /* ticks of the newest reading */
	uint32_t flown[SIGHUB_WINDOW]; /* ticks of the last reading of each frame that is in flight */
	lost_count lost[SIGHUB_EVENTS];
#if SIGHUB_KEPT
	volatile uint8_t broken;       /* odd while readings are being changed; 2 until the hub knows that memory was lost */
#endif
	uint8_t number;                /* of the oldest frame in flight, or of the next one */
	word session;                  /* the latest; its high byte identifies the run of the hub */
	ring_size used;                /* bytes of the ring */
	uint8_t flight[SIGHUB_WINDOW]; /* bytes of the ring in each frame that is in flight; 0: none from here on */

	uint16_t clock;      /* ticks up to which the timers have counted */
	uint8_t silent, waited; /* timers: since the hub was heard; since HELLO or the oldest frame in flight was sent */
	uint8_t wait;        /* before that frame is sent again */
	uint8_t events;      /* of the dictionary */
	uint8_t bad;         /* frames in a row */
	uint8_t ping;        /* control byte of the PING to answer */
#if SIGHUB_REQUESTS
	uint8_t mute;        /* the dictionary has too many events */
	uint8_t expects;     /* number of the hub's next message */
	uint8_t due;         /* bits of replies to send */
#else
	uint8_t asked;       /* control byte of the reply to send */
	uint16_t from;       /* it is the dictionary from this offset on */
#endif
	uint8_t met;         /* there is a session: HELLO was answered */
	uint8_t rx_size, rx_left;
	uint8_t mark;        /* the oldest reading needs a time mark before it */
	uint8_t out_at, out_end; /* of what is being sent */
#if SIGHUB_FRAME > FRAME_LEAST
	uint8_t most;  /* bytes of a payload */
	uint8_t limit; /* of one with several readings, now: see SHRINK */
#endif
#if SIGHUB_WINDOW > 1
	uint8_t window;
	uint8_t cursor; /* in flight: the next to send */
	uint8_t slot; /* of the reply that is being put */
	uint8_t done; /* bits of frames in flight that were answered before earlier ones */
#endif
#if SIGHUB_FLOAT
	uint8_t single; /* the value is the bits of a float */
#endif
#if READS
	ring_size left;      /* bytes to get */
	const uint8_t *get;  /* where to get CBOR */
#endif
	ring_size room;      /* bytes that may be put; one more than fits, so that 0 means too large */
	uint8_t *put;        /* where to put CBOR: in a frame, a reply, or the ring */
	const sighub_device *device;
	uint8_t item[5];     /* the item that is being put */
#if SIGHUB_REQUESTS
	struct {
		uint8_t size;
		uint8_t data[1 + SIGHUB_REPLY + 1]; /* the control byte first */
	} replies[SIGHUB_WINDOW]; /* the latest, to be repeated */
#endif
} sighub_state;
static sighub_state state SIGHUB_KEEP;

static uint8_t ring[SIGHUB_RING + 1] SIGHUB_KEEP; /* readings as they are sent, oldest first */

static uint8_t rx[SIGHUB_FRAME];      /* unstuffed, behind a zero */
static uint8_t out[SIGHUB_FRAME + 1]; /* with a zero before */

/* On AVR an absolute access takes 4 bytes and one with a displacement 2, but the compiler prefers the first, and inlines
 * functions that should be small. It also calculates each of several results anew, with more code, unless it must go on from
 * the value as it is: SETTLE. */
#ifdef __AVR__
#define NEAR(type, p, at) type *p; __asm__("" : "=b"(p) : "0"(at))
#define SHARED __attribute__((noinline)) static
#define SETTLE(n) __asm__("" : "+d"(n))
#define SETTLE_BOTH(n, p) __asm__("" : "+d"(n), "+b"(p))
#else
#define NEAR(type, p, at) type *p = at
#define SHARED static
#define SETTLE(n) (void)0
#define SETTLE_BOTH(n, p) (void)0
#endif
#define STATE(s) NEAR(sighub_state, s, &state)

/* A reset between CHANGE and CHANGED leaves inconsistent data, and "broken" says so. KEPT is what HELLO says: nothing was
 * lost. */
#if SIGHUB_KEPT
#ifdef __GNUC__
#define ORDER __asm__ volatile("" ::: "memory") /* the compiler moves no stores across it */
#else
#define ORDER (void)0
#endif
#define CHANGE(s) do { (s)->broken++; ORDER; } while (0)
#define CHANGED(s) do { ORDER; (s)->broken--; } while (0)
#define KNOWN(s) (s)->broken = 0
#define KEPT(s) (!(s)->broken)
#else
#define ORDER
#define CHANGE(s)
#define CHANGED(s)
#define KNOWN(s)
#define KEPT(s) 0
#endif
#if SIGHUB_WINDOW > 1
#define SLOT s->slot
#define IS_DONE(s, i) ((s)->done >> (i) & 1) /* the answer came before, and comes again */
#else
#define SLOT 0
#define IS_DONE(s, i) 0
#endif
#if SIGHUB_FRAME > FRAME_LEAST
#define LIMIT s->limit
/* Large frames carry most, unless the line is dirty: one that damages a byte in 300 damages more than every second frame of 254.
 * So the frames of readings grow a little with each that is answered, and shrink by a quarter when one is sent again. */
#define GROW(s) do { if ((s)->limit < (s)->most) (s)->limit++; } while (0)
#define SHRINK(s) do { \
	(s)->limit -= (s)->limit / 4; \
	if ((s)->limit < FRAME_LEAST - OVERHEAD) (s)->limit = FRAME_LEAST - OVERHEAD; \
} while (0)
#else
#define GROW(s) (void)0
#define SHRINK(s) (void)0
#define LIMIT (FRAME_LEAST - OVERHEAD)
#endif

/* Whether the dictionary has too many events. A device without requests has events, or nothing to do. */
#if SIGHUB_REQUESTS
#define IS_MUTE(s) (s)->mute
#define MAY_REPORT(s) !(s)->mute
#else
#define IS_MUTE(s) !(s)->events
#define MAY_REPORT(s) (s)->events
#endif

/* The byte i of a number, 0 the lowest. */
#if defined __BYTE_ORDER__ && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define BYTE(u, i) ((u).bytes[sizeof(u).bytes - 1 - (i)])
#else
#define BYTE(u, i) ((u).bytes[i])
#endif

/* Reads a number of two bytes. A shift would do too, but with it avr-gcc reads them in the other order and exchanges them. */
static inline uint16_t word_at(const uint8_t *p) {
	word u;
	BYTE(u, 1) = p[0];
	BYTE(u, 0) = p[1];
	return u.n;
}

/* ---- CBOR */

SHARED void put_copy(const uint8_t *p, uint8_t n) {
	STATE(s);
	uint8_t *to = s->put;
	ring_size room = s->room;
	if (n > room) n = (uint8_t)room;
	s->room = room - n;
	while (n--) *to++ = *p++;
	state.put = to;
}

void sighub_put_byte(uint8_t byte) {
	state.item[0] = byte;
	put_copy(state.item, 1);
}

void sighub_put(uint32_t n, uint8_t kind) {
	NEAR(uint8_t, p, state.item);
	number u;
	u.n = n;
	p[4] = BYTE(u, 0);
	p[3] = BYTE(u, 1);
	p[2] = BYTE(u, 2);
	p[1] = BYTE(u, 3);
	kind += 26;
	SETTLE_BOTH(kind, p);
	if (!(BYTE(u, 2) | BYTE(u, 3))) {
		p += 2;
		kind--;
		SETTLE_BOTH(kind, p);
		if (!BYTE(u, 1)) {
			p++;
			kind--;
			SETTLE_BOTH(kind, p);
			if (BYTE(u, 0) < 24) {
				p++;
				kind = (uint8_t)(kind + BYTE(u, 0) - 24);
			}
		}
	}
	*p = kind;
	put_copy(p, (uint8_t)((uint8_t)(uintptr_t)(state.item + sizeof state.item) - (uint8_t)(uintptr_t)p));
}

SHARED void put_number(uint32_t n) { sighub_put(n, SIGHUB_UNSIGNED); }
static void put_int(int32_t value) {
	uint8_t kind = SIGHUB_UNSIGNED;
	SETTLE(kind);
	if (value < 0) {
		value = ~value;
		kind = SIGHUB_NEGATIVE;
	}
	sighub_put((uint32_t)value, kind);
}
static void put_small(uint8_t n) { put_number(n); }

#if SIGHUB_FLOAT
static void put_single(uint32_t bits) {
	uint8_t i;
	sighub_put_byte(SIGHUB_SINGLE);
	for (i = 4; i; i--, bits <<= 8) sighub_put_byte((uint8_t)(bits >> 24));
}

void sighub_put_float(float value) {
	uint32_t bits;
	memmove(&bits, &value, sizeof bits);
	put_single(bits);
}
#endif

/* Puts a text from flash, cut off after TEXT_MOST bytes. */
SHARED void put_text(const char *text, uint8_t most, uint8_t kind) {
	uint8_t n = 0;
	while (n < most && SIGHUB_FLASH_BYTE(text + n)) n++;
	sighub_put_byte(kind | n);
	for (; n; n--) sighub_put_byte(SIGHUB_FLASH_BYTE(text++));
}

#if READS
uint8_t sighub_kind;

#if SIGHUB_REQUESTS
uint8_t sighub_get_byte(void) {
	STATE(s);
	if (!s->left) return 0;
	s->left--;
	return *s->get++;
}
#endif

uint32_t sighub_get(void) {
	STATE(s);
	const uint8_t *p = s->get;
	ring_size left = s->left;
	uint8_t kind = SIGHUB_NOTHING, more;
	number u;
	u.n = 0;
	if (left) {
		left--;
		more = *p;
		kind = more;
		if (kind < SIGHUB_HALF) kind &= 0xE0;
		more &= 31;
		if (more > 26 && kind != SIGHUB_DOUBLE) kind = SIGHUB_NOTHING;
		if (more < 24) {
			BYTE(u, 0) = more;
		} else {
			more -= 23;
			if (more == 3) more = 4;
			do {
				if (!left) break;
				left--;
				BYTE(u, 3) = BYTE(u, 2);
				BYTE(u, 2) = BYTE(u, 1);
				BYTE(u, 1) = BYTE(u, 0);
				BYTE(u, 0) = *++p;
			} while (--more);
		}
		s->left = left;
		s->get = p + 1;
	}
	sighub_kind = kind;
	return u.n;
}
#endif

uint8_t sighub_refused_count, sighub_refused_status;

/* ---- Readings */

/* Queues a reading. A loss is put into the ring before the next reading of its event. */
uint8_t sighub_report(uint8_t event, int32_t value, uint32_t taken) {
	STATE(s);
	lost_count *lost;
	uint8_t numbers = s->events;
	number x; /* ticks since the previous reading, shifted, and the number */
	if (event >= numbers) return 0;
	x.n = taken - s->last;
	s->put = ring + s->used;
	s->room = (ring_size)(sizeof ring - s->used);
	if (BYTE(x, 3)) { /* backwards, or too far */
		sighub_put(taken, SIGHUB_NEGATIVE);
		x.n = 0;
	}
	for (numbers = (uint8_t)(2 * numbers - 1); numbers; numbers >>= 1) x.n <<= 1;
	lost = &s->lost[event];
	if (*lost) {
		put_number(x.n | (uint8_t)(event + s->events));
		put_number(*lost);
		x.n = 0;
	}
	BYTE(x, 0) |= event;
	put_number(x.n);
#if SIGHUB_FLOAT
	if (s->single) put_single((uint32_t)value);
	else
#endif
	put_int(value);
	if (!s->room) {
		if (!++*lost) --*lost; /* at the limit: that many, or more */
		return 0;
	}
	CHANGE(s);
	s->used = (ring_size)(sizeof ring - s->room);
	s->last = taken;
	*lost = 0;
	CHANGED(s);
	return 1;
}

#if SIGHUB_FLOAT
uint8_t sighub_report_float(uint8_t event, float value, uint32_t taken) {
	int32_t bits;
	uint8_t done;
	memmove(&bits, &value, sizeof bits);
	state.single = 1;
	done = sighub_report(event, bits, taken);
	state.single = 0;
	return done;
}
#endif

#if !RING_FITS
/* Finds how many bytes of readings from p on fit into a frame, and advances the time past them. */
static uint8_t measure(const uint8_t *p, uint32_t *ticks) {
	STATE(s);
	uint8_t n = 0;
	s->get = p;
	s->left = (ring_size)(s->used - (p - ring));
	for (;;) {
		uint32_t t = sighub_get();
		uint8_t next, numbers;
		if (sighub_kind == SIGHUB_UNSIGNED) {
			for (numbers = (uint8_t)(2 * s->events - 1); numbers; numbers >>= 1) t >>= 1;
			t += *ticks;
			sighub_get();
		}
		next = (uint8_t)(s->get - p);
		if (next == n || next > LIMIT - MARK) return n;
		n = next;
		*ticks = t;
	}
}
#endif

/* Forgets the oldest frame: it was answered. */
static void pop(sighub_state *s) {
	uint8_t n = s->flight[0];
	CHANGE(s);
	s->base = s->flown[0];
	s->mark = 0;
	s->used -= n;
	memmove(ring, ring + n, s->used);
	s->number = (s->number + 1) & NUMBERS;
#if SIGHUB_WINDOW > 1
	if (s->cursor) s->cursor--;
	memmove(s->flight, s->flight + 1, SIGHUB_WINDOW - 1);
	memmove(s->flown, s->flown + 1, sizeof s->flown - sizeof s->flown[0]);
	s->flight[SIGHUB_WINDOW - 1] = 0;
	s->done >>= 1;
#else
	s->flight[0] = 0;
#endif
#if SIGHUB_WINDOW > 1
	s->waited = 0;
#endif
	s->wait = RESEND;
	CHANGED(s);
	GROW(s);
}

/* Processes the answer to a frame, ACK or REP. */
static void answered(sighub_state *s, uint8_t control) {
	uint8_t i = control;
	SETTLE(i);
	i -= s->number;
	i &= NUMBERS;
	if (i >= SIGHUB_WINDOW || !s->flight[i]) return;
	if (control >= REP && rx[2] && !IS_DONE(s, i)) {
		sighub_refused_count++;
		sighub_refused_status = rx[2];
	}
#if SIGHUB_WINDOW > 1
	s->done |= (uint8_t)(control < MSG ? (2 << i) - 1 : 1 << i);
	while (s->done & 1) pop(s);
#else
	pop(s);
#endif
}

/* ---- Sessions */

SHARED void hello(void) {
	STATE(s);
	s->bad = s->silent = 0;
	s->met = 0;
	s->mark = 1;
	s->waited = OVERDUE;
}

/* Processes the answer to HELLO, whose numbers have fixed places. If it is too short, some are those of an older frame:
 * not what the hub meant, but still valid numbers. */
static void welcome(sighub_state *s) {
	NEAR(const uint8_t, p, rx + 2);
	uint8_t n, expects = p[EXPECTS];
	if (p[0] != VERSION) return;
	if ((uint16_t)((uint16_t)s->ticks - word_at(p + TICKS)) >= ANSWER) return; /* it answers an old HELLO */
#if SIGHUB_FRAME > FRAME_LEAST
	s->most = SIGHUB_FRAME - OVERHEAD;
	{
		uint16_t largest = word_at(p + LARGEST);
		if (largest < SIGHUB_FRAME && largest >= FRAME_LEAST) s->most = (uint8_t)largest - OVERHEAD;
	}
	if (!s->limit || s->limit > s->most) s->limit = s->most;
#endif
#if SIGHUB_WINDOW > 1
	s->window = p[WINDOW] < SIGHUB_WINDOW ? p[WINDOW] : SIGHUB_WINDOW;
	if (!s->window) s->window = 1;
	s->done = s->cursor = 0;
#endif
	KNOWN(s);
	s->wait = RESEND;
	s->waited = OVERDUE; /* send the frames in flight again */
	n = (expects - s->number) & NUMBERS;
	if (expects > NUMBERS || BYTE(s->session, 1) != p[SESSION]) n = NUMBERS; /* the hub knows none of our frames */
	if (n && (n > SIGHUB_WINDOW || !s->flight[n - 1])) {
		memset(s->flight, 0, sizeof s->flight);
		ORDER;
		s->number = expects & NUMBERS;
	}
	ORDER;
	s->session.n = word_at(p + SESSION);
	s->met = 1;
}

/* Counts the events of the dictionary, and returns its hash: FNV-1a. Repeating it for each HELLO takes less code than storing it. */
SHARED uint32_t read_dictionary(void) {
	number hash;
	const char *p = sighub_dictionary;
	uint8_t c, events = 0;
	hash.n = 0x811C9DC5;
	for (; (c = SIGHUB_FLASH_BYTE(p)) != 0; p++) {
		if (c == 2) events++;
		BYTE(hash, 0) ^= c;
		hash.n *= 0x01000193;
	}
#if SIGHUB_REQUESTS
	state.mute = 0;
#endif
	if (events > SIGHUB_EVENTS) {
		events = 0;
#if SIGHUB_REQUESTS
		state.mute = MUTE;
#endif
	}
	state.events = events;
	return hash.n;
}

uint8_t sighub_begin(const sighub_device *device, uint32_t now) {
	STATE(s);
#if SIGHUB_KEPT
	uint32_t hash;
	memset(&s->clock, 0, sizeof state - offsetof(sighub_state, clock));
	BYTE(s->session, 0) = 0; /* of no session: frames that the hub sent before the reset do not count */
#else
	memset(s, 0, sizeof state);
#endif
	s->clock = (uint16_t)now;
	s->device = device;
#if SIGHUB_KEPT
	hash = read_dictionary();
	if (!device->kept || s->hash != hash || (s->broken & 1)) {
		s->hash = 0;
		ORDER;
		memset(s, 0, offsetof(sighub_state, clock));
		s->broken = 2;
		ORDER;
		s->hash = hash;
	}
#else
	read_dictionary();
#endif
	hello();
	return MAY_REPORT(s);
}

uint8_t sighub_connected(void) { return state.met; }

uint16_t sighub_waiting(void) { return state.used; }

/* ---- Receiving */

static void put_dictionary(uint16_t from) {
	const char *p = sighub_dictionary, *to = p + from;
	while (SIGHUB_FLASH_BYTE(p) && p != to) p++;
	put_text(p, PIECE, SIGHUB_BYTES);
}

#if SIGHUB_REQUESTS
/* Starts the contents of a reply (again) with a status. */
SHARED void restart_reply(uint8_t status) {
	STATE(s);
	s->put = state.replies[SLOT].data + 1;
	s->room = sizeof state.replies[0].data - 1;
	sighub_put_byte(status);
}

/* Processes a message once. If it comes again, its reply is due again. */
static void message(sighub_state *s, uint8_t control) {
	uint8_t n = control & NUMBERS, slot = n & (SIGHUB_WINDOW - 1), method, status;
	uint32_t which;
	if (n != s->expects) {
		if ((n | REP) != state.replies[slot].data[0]) return;
	} else {
		s->expects = (n + 1) & NUMBERS;
#if SIGHUB_WINDOW > 1
		s->slot = slot;
#endif
		s->put = state.replies[slot].data;
		s->room = sizeof state.replies[0].data;
		sighub_put_byte(n | REP);
		which = sighub_get();
		method = (uint8_t)which;
		status = 0;
		if (sighub_kind || which > 255) status = NO_METHOD; /* a text, or no such request */
		sighub_put_byte(status);
		if (status) {
		} else if (method == 0) {
			put_dictionary((uint16_t)sighub_get());
		} else {
			uint8_t events = s->events;
			s->events = 0; /* a reading would be put into the reply: accept none */
			sighub_request(method);
			s->events = events;
		}
		if (!s->room) {
			restart_reply(TOO_LARGE);
		}
		state.replies[slot].size = (uint8_t)(sizeof state.replies[0].data - s->room);
	}
	s->due |= (uint8_t)(1 << slot);
}

void sighub_fail(const char *text) {
	restart_reply(FAILED);
	put_text(text, TEXT_MOST, SIGHUB_STRING);
}
#else
/* Processes a message, which can only fetch the dictionary: it contains just an offset. Doing that twice does no harm, so
 * nothing is stored. */
static void message(sighub_state *s, uint8_t control) {
	s->asked = control + (REP - MSG);
	s->from = word_at(rx + 4);
}
#endif

/* Shifts a CRC to the left, and adds the polynomial if the bit that falls out was 1. */
#ifdef __AVR__
#define SHIFT(crc, polynomial) \
	__asm__("lsl %A0\n\trol %B0\n\tbrcc 1f\n\teor %A0, %1\n\teor %B0, %2\n1:" \
	        : "+r"(crc) : "r"((uint8_t)(polynomial)), "r"((uint8_t)((polynomial) >> 8)))
#else
#define SHIFT(crc, polynomial) crc = (uint16_t)(crc << 1 ^ (crc & 0x8000 ? polynomial : 0))
#endif

SHARED uint16_t crc16(const uint8_t *frame, uint8_t size) { /* of a frame, from its control byte on */
	NEAR(const uint8_t, p, frame);
	uint16_t crc = state.session.n;
	if (*p < 0x20) crc = 0xFFFF; /* HELLO */
	do {
		uint8_t i = 8;
		crc ^= (uint16_t)(*p++ << 8);
		do {
			SHIFT(crc, 0x1021);
		} while (--i);
	} while (--size);
	return crc;
}

static void frame(sighub_state *s, uint8_t size) {
	uint8_t control = rx[1];
	uint8_t left = size - 4;
	uint16_t crc;
#if SIGHUB_REQUESTS
	s->left = left;
	s->get = rx + 2;
#endif
	if (s->rx_left || left > SIGHUB_FRAME - OVERHEAD) goto damaged;
	crc = crc16(rx + 1, size - 1);
	if (crc != HUB_FRAME) {
		if ((uint8_t)crc == ECHO) return; /* or damage that looks like it, which does not matter */
	damaged:
		if (++s->bad >= BAD_FRAMES) hello();
		return;
	}
	s->bad = 0;
	s->silent = 0;
	if (control < EVT) { /* HELLO */
		if (!left) hello(); /* the hub does not know this session */
		else if (!s->met) welcome(s);
	} else if (!s->met) { /* it belongs to the previous session */
	} else if (control >= PING) {
		if (control > (PING | NUMBERS)) s->waited = OVERDUE; /* AGAIN: something was damaged */
		else if (!left) s->ping = control;
	} else if ((control & ~NUMBERS) == MSG) {
		message(s, control);
	} else { /* ACK or REP */
		answered(s, control);
	}
}

void sighub_rx(uint8_t byte) {
	STATE(s);
	uint8_t n = s->rx_size;
	if (byte) {
		if (n == SIGHUB_FRAME) return;
		s->rx_left--;
		if (s->rx_left == 255) { /* a code: a zero, and the number of bytes before the next one */
			s->rx_left = byte - 1;
			byte = 0;
		}
		rx[n] = byte;
		s->rx_size = n + 1;
	} else {
		if (n) frame(s, n);
		s->rx_size = s->rx_left = 0;
	}
}

/* ---- Sending */

SHARED void open_frame(uint8_t control) {
	STATE(s);
	s->put = out + 2;
	s->room = SIGHUB_FRAME - OVERHEAD + 1;
	s->out_at = 0; /* a zero ends whatever is in the hub's buffer */
#if SIGHUB_WINDOW > 1
	if (s->waited < RESEND) s->out_at++; /* no zero if the line has not been idle, as with a window of 1 */
#endif
	sighub_put_byte(control);
}

/* Adds the CRC and stuffs the bytes in place: from the end backwards, each zero becomes the distance to the next. */
static void close_frame(sighub_state *s) {
	uint8_t *p = s->put, distance = 1, n = (uint8_t)(p - (out + 2));
	uint16_t crc = crc16(out + 2, n) ^ DEVICE_XOR;
	*p++ = (uint8_t)(crc >> 8);
	*p++ = (uint8_t)crc;
	*p = 0;
	out[1] = 0;
	s->out_end = n + OVERHEAD; /* including the leading zero, as n has the control byte */
	n += 3;
	do {
		p--;
		if (!*p) {
			*p = distance;
			distance = 0;
		}
		distance++;
	} while (--n);
}

static void put_hello(sighub_state *s) {
	const sighub_device *d = s->device;
	uint8_t control;
	open_frame(HELLO);
	s->waited = 0;
	sighub_put_byte(VERSION);
	sighub_put_byte(SIGHUB_BYTES | d->uid_size);
	put_copy(d->uid, d->uid_size);
	put_text(d->name, TEXT_MOST, SIGHUB_STRING);
	put_text(d->firmware, TEXT_MOST, SIGHUB_STRING);
	put_number(read_dictionary());
	put_number(d->boot);
	put_small(d->cause);
	control = KEPT(s);
	SETTLE(control);
	if (IS_MUTE(s)) control |= MUTE;
	sighub_put_byte(control);
	put_number(s->ticks);
#if SIGHUB_REQUESTS
	put_small(s->expects);
#elif LARGER
	sighub_put_byte(0);
#endif
#if LARGER
	put_number(SIGHUB_RECEIVE);
	put_small(SIGHUB_FRAME);
	put_small(SIGHUB_WINDOW);
#endif
}

/* Puts the readings of the next frame; returns 0 if there are none. */
static uint8_t put_readings(sighub_state *s) {
	const uint8_t *p = ring;
	uint8_t n, k = 0;
	n = s->flight[0];
	if (n && s->waited >= s->wait) {
		SHRINK(s);
		if (s->waited < RESEND_MOST) s->wait *= 2; /* not if AGAIN or HELLO made it overdue */
#if SIGHUB_WINDOW == 1
	} else if (n) {
		return 0;
#else
	} else {
		k = s->cursor;
		if (k >= s->window) return 0;
		for (n = 0; n < k; n++) p += s->flight[n];
		n = s->flight[k];
#endif
	}
	if (!n) {
#if RING_FITS
		n = s->used;
		s->flown[k] = s->last;
#else
		s->flown[k] = k ? s->flown[k - 1] : s->base;
		n = measure(p, &s->flown[k]);
#endif
		if (!n) return 0;
		ORDER;
		s->flight[k] = n;
	}
#if SIGHUB_WINDOW > 1
	open_frame(EVT | ((s->number + k) & NUMBERS));
	s->cursor = k + 1;
#else
	open_frame(EVT | s->number);
#endif
	if (!k) {
		s->waited = 0;
		if (s->mark) sighub_put(s->base, SIGHUB_NEGATIVE);
	}
	put_copy(p, n);
	return 1;
}

/* Prepares the most urgent frame; returns 0 if there is none. */
static uint8_t next(sighub_state *s) {
	if (!s->met) {
		if (s->waited < REPEAT) return 0;
		put_hello(s);
#if SIGHUB_REQUESTS
	} else if (s->due) {
		uint8_t slot = 0;
#if SIGHUB_WINDOW > 1
		while (!(s->due >> slot & 1)) slot++;
#endif
		s->due &= (uint8_t)~(1 << slot);
		open_frame(state.replies[slot].data[0]);
		put_copy(state.replies[slot].data + 1, state.replies[slot].size - 1);
#else
	} else if (s->asked) {
		open_frame(s->asked);
		s->asked = 0;
		sighub_put_byte(DONE);
		put_dictionary(s->from);
#endif
	} else if (s->ping) {
		open_frame(s->ping);
		s->ping = 0;
		put_number(s->ticks);
	} else {
		if (!put_readings(s)) return 0;
	}
	close_frame(s);
	return 1;
}

void sighub_poll(uint32_t now) {
	STATE(s);
	s->ticks = now;
	while ((uint16_t)((uint16_t)s->ticks - s->clock) >= 16) {
		s->clock += 16;
		s->waited++;
		if (++s->silent >= GONE) hello();
	}
	do {
		while (s->out_at != s->out_end) {
			if (!sighub_write(out[s->out_at])) return;
			s->out_at++;
		}
	} while (next(s));
}
