// SPDX-License-Identifier: GPL-2.0-only
/*
 * A process whose MOVDIR64B are carried out on #UD: says one line that programs
 * read. cc -O2 -static -o process process.c
 */

#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define BYTES	64
#define PAGE	4096
#define ROUNDS	300

/* What the module counts, and what we stored. */
#define COUNT	"/sys/module/movdir64b/parameters/ud_user"

static unsigned long stores;
static unsigned int faults;

static sigjmp_buf back;
static volatile uintptr_t fault_ip;

static void fail(const char *why)
{
	printf("IMS-TEST process FAIL %s\n", why);
	exit(1);
}

static unsigned long counted(void)
{
	FILE *file = fopen(COUNT, "r");
	unsigned long count;

	if (!file || fscanf(file, "%lu", &count) != 1)
		fail("no count at " COUNT);
	fclose(file);
	return count;
}

static uint8_t *pages(unsigned int count, int protection, int flags)
{
	void *place = mmap(NULL, count * PAGE, protection, flags | MAP_ANONYMOUS, -1, 0);

	if (place == MAP_FAILED)
		fail("no memory");
	return place;
}

/* movdir64b (%rdx), %rax */
static void move(void *dest, const void *source)
{
	asm volatile(".byte 0x66, 0x0f, 0x38, 0xf8, 0x02"
		     : : "a" (dest), "d" (source) : "memory");
	stores++;
}

static void pattern(uint8_t *source, uint8_t seed)
{
	for (unsigned int n = 0; n < BYTES; n++)
		source[n] = seed + 3 * n;
}

static void arrived(const char *what, const void *dest, uint8_t seed)
{
	uint8_t wanted[BYTES];

	pattern(wanted, seed);
	if (memcmp(dest, wanted, BYTES))
		fail(what);
}

/* Pages that nobody touched before; a source on two of them. */
static void untouched(void)
{
	uint8_t *dest = pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	uint8_t *source = pages(2, PROT_READ | PROT_WRITE, MAP_PRIVATE) + PAGE - 33;
	static const uint8_t zeroes[BYTES];

	move(dest + 128, source);
	if (memcmp(dest + 128, zeroes, BYTES))
		fail("untouched memory is not zero");
	pattern(source, 1);
	move(dest + PAGE - BYTES, source);
	arrived("to the end of a page", dest + PAGE - BYTES, 1);
}

/* movdir64b %fs:(%rdx), %rax */
static void of_thread(void)
{
	static _Alignas(BYTES) uint8_t dest[BYTES];
	static _Thread_local uint8_t source[BYTES];
	uintptr_t base;

	pattern(source, 2);
	asm volatile("mov %%fs:0, %0" : "=r" (base));
	asm volatile(".byte 0x64, 0x66, 0x0f, 0x38, 0xf8, 0x02"
		     : : "a" (dest), "d" ((uintptr_t)source - base) : "memory");
	stores++;
	arrived("of the thread", dest, 2);
}

/* movdir64b (%edx), %eax, with something in the other halves. */
static void narrow(void)
{
	uint8_t *low = pages(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_32BIT);

	pattern(low, 3);
	asm volatile(".byte 0x67, 0x66, 0x0f, 0x38, 0xf8, 0x02"
		     : : "a" ((uintptr_t)low + BYTES + (5UL << 32)),
			 "d" ((uintptr_t)low + (7UL << 32)) : "memory");
	stores++;
	arrived("with addresses of 32 bits", low + BYTES, 3);
}

/* The instruction itself lies on two pages. */
static void straddling(void)
{
	static const uint8_t text[] = { 0x66, 0x0f, 0x38, 0xf8, 0x02, 0xc3 };
	uint8_t *code = pages(2, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE) + PAGE - 3;
	static _Alignas(BYTES) uint8_t dest[BYTES];
	uint8_t source[BYTES];

	memcpy(code, text, sizeof(text));
	pattern(source, 4);
	asm volatile("call *%2" : : "a" (dest), "d" (source), "r" (code) : "memory", "cc");
	stores++;
	arrived("by text on two pages", dest, 4);
}

static void on_signal(int signal, siginfo_t *info, void *context)
{
	(void)info;
	fault_ip = ((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	siglongjmp(back, signal);
}

/* Executes (%rdx), %rax with another last byte, which must end in @signal there. */
static void must_fault(const char *what, int signal, void *dest, const void *source,
		       uint8_t modrm)
{
	uint8_t *code = pages(1, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE);
	const uint8_t text[] = { 0x66, 0x0f, 0x38, 0xf8, modrm, 0xc3 };
	int got = sigsetjmp(back, 1);

	if (!got) {
		memcpy(code, text, sizeof(text));
		asm volatile("call *%2" : : "a" (dest), "d" (source), "r" (code)
			     : "memory", "cc");
		fail(what);
	}
	if (got != signal || fault_ip != (uintptr_t)code)
		fail(what);
	munmap(code, PAGE);
	faults++;
}

static void refused(void)
{
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO };
	uint8_t *fixed = pages(1, PROT_READ, MAP_PRIVATE);
	uint8_t *none = pages(1, PROT_NONE, MAP_PRIVATE);
	static _Alignas(BYTES) uint8_t dest[2 * BYTES];

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	must_fault("a destination that cannot be written", SIGSEGV, fixed, dest, 0x02);
	must_fault("a destination that is not there", SIGSEGV, none, dest, 0x02);
	must_fault("a destination of the kernel", SIGSEGV, (void *)(-1UL << 40), dest, 0x02);
	must_fault("a destination that is not aligned", SIGSEGV, dest + 8, dest, 0x02);
	must_fault("a source that is not there", SIGSEGV, dest, none, 0x02);
	must_fault("a source of the kernel", SIGSEGV, dest, (void *)(-1UL << 40), 0x02);
	must_fault("a source that is a register", SIGILL, dest, dest, 0xc2);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGILL, SIG_DFL);
}

struct shared {
	_Alignas(BYTES) uint8_t slot[BYTES];
	atomic_uint here;
};

/* Waits for the other. */
static void meet(struct shared *shared, unsigned int *meetings)
{
	*meetings += 2;
	atomic_fetch_add(&shared->here, 1);
	while (atomic_load(&shared->here) < *meetings)
		;
}

/* Two processes on one slot: it holds what one of them stored, never some of each. */
static void together(void)
{
	struct shared *shared = (void *)pages(1, PROT_READ | PROT_WRITE, MAP_SHARED);
	_Alignas(BYTES) uint8_t mine[BYTES];
	unsigned int round, meetings = 0;
	pid_t other = fork();
	int status;

	memset(mine, other ? 0x11 : 0x22, sizeof(mine));
	for (round = 0; round < ROUNDS; round++) {
		meet(shared, &meetings);
		move(shared->slot, mine);
		meet(shared, &meetings);
		for (unsigned int n = 1; n < BYTES; n++)
			if (shared->slot[n] != shared->slot[0])
				fail("two stores are mixed");
	}
	if (!other)
		_exit(0);
	if (waitpid(other, &status, 0) != other || status)
		fail("the other process");
	/* Its own. */
	stores += ROUNDS;
}

int main(void)
{
	unsigned long before = counted();

	untouched();
	of_thread();
	narrow();
	straddling();
	refused();
	together();
	if (counted() - before != stores)
		fail("the module counted another number of stores");
	printf("IMS-TEST process ok stores=%lu faults=%u\n", stores, faults);
	return 0;
}
