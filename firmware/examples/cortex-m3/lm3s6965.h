/* The registers of an LM3S6965 that this program uses; names and bits are those of its data sheet. */
#ifndef LM3S6965_H
#define LM3S6965_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* System control */
#define SYSCTL_RESC REGISTER(0x400FE05C) /* causes of resets, until they are cleared */
#define SYSCTL_RIS REGISTER(0x400FE050)
#define SYSCTL_RCC REGISTER(0x400FE060)
#define SYSCTL_RCGC1 REGISTER(0x400FE104)
#define SYSCTL_RCGC2 REGISTER(0x400FE108)
#define USER_REG0 REGISTER(0x400FE1E0) /* three bytes of the board's Ethernet address each */
#define USER_REG1 REGISTER(0x400FE1E4)
#define RESC_POWER 0x06 /* power-on or brown-out */
#define RIS_PLLLRIS 0x40
#define RCC_SYSDIV (15u << 23)
#define RCC_USESYSDIV (1u << 22)
#define RCC_PWRDN (1u << 13)
#define RCC_BYPASS (1u << 11)
#define RCC_XTAL (15u << 6)
#define RCC_XTAL_8MHZ (14u << 6)
#define RCC_OSCSRC (3u << 4)
#define RCC_MOSCDIS (1u << 0)
#define RCGC1_UART0 (1u << 0)
#define RCGC2_GPIOA (1u << 0)
#define RCGC2_GPIOF (1u << 5)

/* Pins */
#define GPIOA_AFSEL REGISTER(0x40004420)
#define GPIOA_DEN REGISTER(0x4000451C)
#define GPIOF_PIN0 REGISTER(0x40025004) /* the address chooses the pins that an access touches */
#define GPIOF_DIR REGISTER(0x40025400)
#define GPIOF_DEN REGISTER(0x4002551C)

/* UART 0 */
#define UART_DR REGISTER(0x4000C000)
#define UART_FR REGISTER(0x4000C018)
#define UART_IBRD REGISTER(0x4000C024)
#define UART_FBRD REGISTER(0x4000C028)
#define UART_LCRH REGISTER(0x4000C02C)
#define UART_CTL REGISTER(0x4000C030)
#define UART_IM REGISTER(0x4000C038)
#define UART_ICR REGISTER(0x4000C044)
#define FR_RXFE 0x10
#define FR_TXFF 0x20
#define LCRH_8BITS 0x60
#define LCRH_FEN 0x10
#define CTL_ENABLE 0x301 /* with receiver and transmitter */
#define INT_RX 0x10
#define INT_RT 0x40 /* something is in the FIFO, and nothing has followed for a while */

/* The core: SysTick and interrupts */
#define SYST_CSR REGISTER(0xE000E010)
#define SYST_RVR REGISTER(0xE000E014)
#define SYST_CVR REGISTER(0xE000E018)
#define SYST_RUN 7 /* from the core's clock, with its interrupt */
#define NVIC_ISER0 REGISTER(0xE000E100)
#define IRQ_UART0 5

static inline void interrupts_off(void) { __asm__ volatile("cpsid i" ::: "memory"); }
static inline void interrupts_on(void) { __asm__ volatile("cpsie i" ::: "memory"); }
static inline void wait_for_interrupt(void) { __asm__ volatile("dsb\n wfi" ::: "memory"); }

#endif
