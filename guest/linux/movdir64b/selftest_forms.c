// SPDX-License-Identifier: GPL-2.0-only
/* The instruction by its bytes, for assemblers differ in whether they know it. */

#include <linux/kernel.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "movdir64b.h"

#define EMPTY 0xa5

static u8 in_data[MOVDIR64B_BYTES];

struct block {
	u8 bytes[MOVDIR64B_BYTES];
};

static DEFINE_PER_CPU(struct block, in_percpu);

/* movdir64b (%rdx), %rax: the only one that the driver has. */
noinline void movdir64b_execute(void *dest, const void *source)
{
	asm volatile(".byte 0x66, 0x0f, 0x38, 0xf8, 0x02"
		     : : "a" (dest), "d" (source) : "memory");
}

/* movdir64b 0x10(%rbx,%rcx,4), %r8 */
static noinline void indexed(void *dest, const void *source)
{
	register void *r8 asm("r8") = dest;

	asm volatile(".byte 0x66, 0x44, 0x0f, 0x38, 0xf8, 0x44, 0x8b, 0x10"
		     : : "r" (r8), "b" (source - 0x10 - 4 * 5), "c" (5L) : "memory");
}

/* movdir64b -0x80000000(%r13), %rdi */
static noinline void displaced(void *dest, const void *source)
{
	unsigned long r13 = (unsigned long)source + 0x80000000UL;

	asm volatile("push %%r13\n\tmov %1, %%r13\n\t"
		     ".byte 0x66, 0x41, 0x0f, 0x38, 0xf8, 0xbd, 0x00, 0x00, 0x00, 0x80\n\t"
		     "pop %%r13"
		     : : "D" (dest), "r" (r13) : "memory");
}

/* movdir64b in_data(%rip), %rdi */
static noinline void relative(void *dest, const void *source)
{
	memcpy(in_data, source, sizeof(in_data));
	asm volatile(".byte 0x66, 0x0f, 0x38, 0xf8, 0x3d\n\t.long %c1 - . - 4"
		     : : "D" (dest), "i" (in_data) : "memory");
}

/* movdir64b %gs:(%rsi), %rax */
static noinline void segmented(void *dest, const void *source)
{
	memcpy(get_cpu_ptr(&in_percpu), source, MOVDIR64B_BYTES);
	asm volatile(".byte 0x65, 0x66, 0x0f, 0x38, 0xf8, 0x06"
		     : : "a" (dest), "S" (&in_percpu) : "memory");
	put_cpu_ptr(&in_percpu);
}

static const struct {
	void (*move)(void *dest, const void *source);
	const char *wrong;
} forms[] = {
	{ movdir64b_execute, "(%rdx)" },
	{ indexed,	"0x10(%rbx,%rcx,4)" },
	{ displaced,	"-0x80000000(%r13)" },
	{ relative,	"in_data(%rip)" },
	{ segmented,	"%gs:(%rsi)" },
};

int movdir64b_selftest_forms(const char **why)
{
	/* Aligned as it is a power of two; the middle one is the destination. */
	u8 *blocks = kmalloc(4 * MOVDIR64B_BYTES, GFP_KERNEL);
	u8 *dest = blocks + MOVDIR64B_BYTES;
	u8 source[MOVDIR64B_BYTES + 1];
	unsigned int n, i;
	int ret = ARRAY_SIZE(forms);

	if (!blocks)
		return -ENOMEM;
	for (n = 0; n < ARRAY_SIZE(forms); n++) {
		for (i = 0; i < sizeof(source); i++)
			source[i] = 7 * i + n;
		memset(blocks, EMPTY, 4 * MOVDIR64B_BYTES);
		/* A source may lie anywhere. */
		forms[n].move(dest, source + 1);
		if (memcmp(dest, source + 1, MOVDIR64B_BYTES) ||
		    memchr_inv(blocks, EMPTY, MOVDIR64B_BYTES) ||
		    memchr_inv(dest + MOVDIR64B_BYTES, EMPTY, 2 * MOVDIR64B_BYTES)) {
			*why = forms[n].wrong;
			ret = -EIO;
			break;
		}
	}
	kfree(blocks);
	return ret;
}
