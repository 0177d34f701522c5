#include "uart.h"

#include <avr/interrupt.h>
#include <avr/io.h>

/* With U2X the rate is F_CPU / 8 / (UBRR + 1): 16 MHz and 16 make 117647 baud, 2.1 % too fast. Both ends together may
 * be off by about 4 %, and a USB adapter is exact. Without U2X it would be 3.5 % too slow, too much for comfort. */
#define DIVISOR ((F_CPU + 4 * 115200UL) / (8 * 115200UL) - 1)

static volatile uint8_t rx[UART_RX], tx[UART_TX];
static volatile uint8_t rx_head, rx_tail, tx_head, tx_tail; /* bytes enter at the head and leave at the tail */

void uart_begin(void) {
	UBRR0 = DIVISOR;
	UCSR0A = _BV(U2X0);
	UCSR0C = _BV(UCSZ01) | _BV(UCSZ00);
	UCSR0B = _BV(RXEN0) | _BV(TXEN0) | _BV(RXCIE0);
}

/* A byte without room is lost, as on the wire: the CRC of its frame is wrong, and the frame is sent again. */
ISR(USART_RX_vect) {
	uint8_t byte = UDR0, next = (rx_head + 1) & (UART_RX - 1);
	if (next == rx_tail) return;
	rx[rx_head] = byte;
	rx_head = next;
}

ISR(USART_UDRE_vect) {
	if (tx_tail == tx_head) {
		UCSR0B &= (uint8_t)~_BV(UDRIE0); /* nothing left to send: otherwise the interrupt would occur again at once */
	} else {
		UDR0 = tx[tx_tail];
		tx_tail = (tx_tail + 1) & (UART_TX - 1);
	}
}

uint8_t uart_has_byte(void) { return rx_head != rx_tail; }

uint8_t uart_get(uint8_t *byte) {
	if (!uart_has_byte()) return 0;
	*byte = rx[rx_tail];
	rx_tail = (rx_tail + 1) & (UART_RX - 1);
	return 1;
}

uint8_t uart_put(uint8_t byte) {
	uint8_t next = (tx_head + 1) & (UART_TX - 1);
	if (next == tx_tail) return 0;
	tx[tx_head] = byte;
	tx_head = next;
	cli(); /* the interrupt also changes this register */
	UCSR0B |= _BV(UDRIE0);
	sei();
	return 1;
}
