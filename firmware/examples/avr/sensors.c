#include "sensors.h"
#include "sighub.h"

#include <avr/interrupt.h>
#include <avr/io.h>
#include <util/atomic.h>

static volatile uint32_t clock SIGHUB_KEEP; /* continues after a reset, like the readings that wait */
static volatile uint16_t period, left; /* milliseconds: between readings, and until the next */
static volatile uint16_t results[SENSORS];
static volatile uint32_t started; /* when the results were measured */
static volatile uint8_t ready;    /* number of results that were not taken yet, counted from the last sensor backwards */

static void convert(uint8_t sensor) {
	ADMUX = _BV(REFS0) | sensor; /* against AVcc */
	ADCSRA |= _BV(ADSC);
}

/* Every millisecond: counts, and starts the sensors when they are due. Results that were not taken yet are not overwritten:
 * with a period of 1 ms and much to send, readings may come later, but no reading is half old and half new. */
ISR(TIMER0_COMPA_vect) {
	clock++;
	if (left && --left) return;
	if (ready || (ADCSRA & _BV(ADSC))) return; /* try again in a millisecond */
	left = period;
	started = clock;
	convert(LIGHT);
}

/* 13 cycles of the ADC's clock later, 0.1 ms. */
ISR(ADC_vect) {
	uint8_t sensor = ADMUX & 7;
	results[sensor] = ADC;
	if (++sensor < SENSORS) convert(sensor);
	else ready = SENSORS;
}

void sensors_begin(uint16_t milliseconds, uint8_t kept) {
	if (!kept) clock = 0;
	sensors_set_period(milliseconds);
	DIDR0 = _BV(ADC0D) | _BV(ADC1D);                                         /* no digital input at these pins */
	ADCSRA = _BV(ADEN) | _BV(ADIE) | _BV(ADPS2) | _BV(ADPS1) | _BV(ADPS0); /* F_CPU / 128: 125 kHz */
	TCCR0A = _BV(WGM01);                                                     /* clear on compare match */
	TCCR0B = _BV(CS01) | _BV(CS00);                                          /* F_CPU / 64 */
	OCR0A = F_CPU / 64 / 1000 - 1;
	TIMSK0 = _BV(OCIE0A);
}

void sensors_set_period(uint16_t milliseconds) {
	ATOMIC_BLOCK(ATOMIC_RESTORESTATE) {
		period = milliseconds;
		left = milliseconds;
	}
}

uint32_t milliseconds(void) {
	uint32_t now;
	ATOMIC_BLOCK(ATOMIC_RESTORESTATE) now = clock; /* four bytes, between which an interrupt could occur */
	return now;
}

uint8_t sensors_get(uint8_t *sensor, uint16_t *raw, uint32_t *taken) {
	if (!ready) return 0;
	/* The interrupts do not change any of this while there are results. */
	*sensor = SENSORS - ready;
	*raw = results[*sensor];
	*taken = started;
	ready--;
	return 1;
}
