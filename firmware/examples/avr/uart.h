/* UART 0 with interrupts and a ring in each direction: no function waits for a byte. */
#ifndef UART_H
#define UART_H

#include <stdint.h>

#define UART_RX 64 /* bytes of the receive ring, a power of two; it holds one less. See SIGHUB_RECEIVE */
#define UART_TX 64 /* the same for sending: holds a whole frame, so that the chip may sleep while it goes out */

void uart_begin(void); /* 115200 baud, 8 data bits, no parity, 1 stop bit */

uint8_t uart_get(uint8_t *byte); /* returns 0 if no byte has arrived */
uint8_t uart_put(uint8_t byte);  /* returns 0 if there is no room at present */
uint8_t uart_has_byte(void);

#endif
