#include "board.h"
#include "lm3s6965.h"
#include "sighub.h"

#define CLOCK 50000000u /* Hz */
#define BAUD 115200u
#define MILLISECOND (CLOCK / 1000)
#define RX 256 /* bytes of the receive ring, a power of two: see SIGHUB_RECEIVE */

static volatile uint32_t ticks SIGHUB_KEEP; /* continues after a reset, like the readings that wait */
static volatile uint8_t rx[RX], rx_head, rx_tail; /* bytes enter at the head and leave at the tail */
static uint32_t rested, since;                    /* cycles; milliseconds */

/* ---- Clock */

static void clock_begin(void) { /* a crystal of 8 MHz, and of the PLL's 200 MHz every fourth cycle */
	uint32_t rcc = (SYSCTL_RCC | RCC_BYPASS) & ~RCC_USESYSDIV;
	SYSCTL_RCC = rcc;
	rcc = (rcc & ~(RCC_XTAL | RCC_OSCSRC | RCC_MOSCDIS | RCC_PWRDN | RCC_SYSDIV)) | RCC_XTAL_8MHZ | 3u << 23 | RCC_USESYSDIV;
	SYSCTL_RCC = rcc;
	while (!(SYSCTL_RIS & RIS_PLLLRIS)) {}
	SYSCTL_RCC = rcc & ~RCC_BYPASS;
	SYST_RVR = MILLISECOND - 1;
	SYST_CVR = 0;
	SYST_CSR = SYST_RUN;
}

void systick_interrupt(void) { ticks++; }

uint32_t milliseconds(void) { return ticks; }

/* A byte may arrive between the check and the rest. With interrupts off it is not missed: it ends the rest, and its
 * interrupt is served after that. The interrupt of the clock ends the rest too, so SysTick passes its end at most once. */
void rest(void) {
	uint32_t before, after;
	interrupts_off();
	if (rx_head == rx_tail) {
		before = SYST_CVR; /* counts down */
		wait_for_interrupt();
		after = SYST_CVR;
		rested += before >= after ? before - after : before + MILLISECOND - after;
	}
	interrupts_on();
}

float load(void) {
	uint32_t now = ticks, all = (now - since) * MILLISECOND;
	float busy = all > rested ? (float)(all - rested) / (float)all : 0;
	since = now;
	rested = 0;
	return busy;
}

/* ---- UART */

static void uart_begin(void) {
	const uint32_t divisor = (CLOCK * 4 + BAUD / 2) / BAUD; /* CLOCK / 16 / BAUD, in units of 1/64 */
	SYSCTL_RCGC1 |= RCGC1_UART0;
	SYSCTL_RCGC2 |= RCGC2_GPIOA;
	(void)SYSCTL_RCGC2; /* the clocks need three cycles */
	GPIOA_AFSEL |= 3;
	GPIOA_DEN |= 3;
	UART_CTL = 0;
	UART_IBRD = divisor / 64;
	UART_FBRD = divisor % 64;
	UART_LCRH = LCRH_8BITS | LCRH_FEN;
	UART_IM = INT_RX | INT_RT;
	UART_CTL = CTL_ENABLE;
	NVIC_ISER0 = 1u << IRQ_UART0;
}

/* A byte without room is lost, as on the wire: the CRC of its frame is wrong, and the frame is sent again. */
void uart_interrupt(void) {
	UART_ICR = INT_RX | INT_RT;
	while (!(UART_FR & FR_RXFE)) {
		uint8_t byte = (uint8_t)UART_DR, next = (uint8_t)((rx_head + 1) % RX);
		if (next == rx_tail) continue;
		rx[rx_head] = byte;
		rx_head = next;
	}
}

uint8_t uart_get(uint8_t *byte) {
	if (rx_head == rx_tail) return 0;
	*byte = rx[rx_tail];
	rx_tail = (uint8_t)((rx_tail + 1) % RX);
	return 1;
}

/* Sending needs no interrupt: the FIFO's 16 bytes last longer than rest() does. */
uint8_t uart_put(uint8_t byte) {
	if (UART_FR & FR_TXFF) return 0;
	UART_DR = byte;
	return 1;
}

/* ---- LED */

static void led_begin(void) {
	SYSCTL_RCGC2 |= RCGC2_GPIOF;
	(void)SYSCTL_RCGC2;
	GPIOF_DIR |= 1;
	GPIOF_DEN |= 1;
}

void led_set(uint8_t on) { GPIOF_PIN0 = on ? 1 : 0; }
uint8_t led_is_on(void) { return GPIOF_PIN0 & 1; }

/* ---- Identity */

static struct {
	uint32_t boot, check; /* check is the inverse, if the RAM has survived */
} lasting SIGHUB_KEEP;

extern uint32_t free_start, stack_top; /* from the linker */

/* There is no EEPROM, so the boot number is made from RAM that nothing has written since power-up: its bits are random.
 * FNV-1a (Fowler, Noll, Vo), by words. */
static uint32_t draw(void) {
	uint32_t hash = 2166136261u;
	for (const uint32_t *p = &free_start; p < (const uint32_t *)__builtin_frame_address(0); p++) hash = (hash ^ *p) * 16777619u;
	return hash;
}

static void identify(struct start *start) {
	uint32_t low = USER_REG0, high = USER_REG1;
	for (uint8_t i = 0; i < 3; i++) {
		start->uid[i] = (uint8_t)(low >> 8 * i);
		start->uid[3 + i] = (uint8_t)(high >> 8 * i);
	}
	start->cause = (uint8_t)(SYSCTL_RESC & 0x3F);
	SYSCTL_RESC = 0;
	start->kept = lasting.check == ~lasting.boot && !(start->cause & RESC_POWER);
	if (!start->kept) ticks = 0;
	start->boot = start->kept ? lasting.boot + 1 : draw();
	lasting.boot = start->boot;
	lasting.check = ~start->boot;
}

void board_begin(struct start *start) {
	identify(start);
	clock_begin();
	uart_begin();
	led_begin();
	interrupts_on();
}
