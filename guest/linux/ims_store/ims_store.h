/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the module share. */
#ifndef IMS_STORE_H
#define IMS_STORE_H

#include <linux/atomic.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/types.h>

#include "regs.h"

struct ims_store;

/* An interrupt that a test has taken, and what came of it. */
struct ims_irq {
	struct ims_store *ims;
	unsigned int virq;	/* 0: not taken */
	unsigned int cpu;	/* where it must arrive */
	atomic_t taken;		/* how often it arrived */
	atomic_t astray;	/* how often on another CPU */
};

struct ims_store {
	struct pci_dev *pdev;
	void __iomem *regs;
	void __iomem *store;
	unsigned int slots;
	struct fwnode_handle *fwnode;
	struct irq_domain *domain;
	atomic_t taken;		/* the sum over all interrupts */
	struct ims_irq *irqs;	/* one a slot */
	struct ims_irq msix[IMS_MSIX_VECTORS];
};

/* What a slot holds, as software last wrote it. */
struct ims_slot {
	u32 address_lo;
	u32 address_hi;
	u32 data;
	u32 control;
};

/* store.c: the device's registers. */
bool ims_alive(struct ims_store *ims);
u32 ims_read(struct ims_store *ims, unsigned int reg);
void ims_write(struct ims_store *ims, unsigned int reg, u32 value);
void ims_slot_read(struct ims_store *ims, unsigned int n, struct ims_slot *slot);
void ims_slot_program(struct ims_store *ims, unsigned int n, const struct msi_msg *msg);
void ims_slot_clear(struct ims_store *ims, unsigned int n);
void ims_slot_mask(struct ims_store *ims, unsigned int n);
void ims_slot_unmask(struct ims_store *ims, unsigned int n);
bool ims_slot_remappable(const struct ims_slot *slot);
bool ims_slot_same_message(const struct ims_slot *a, const struct ims_slot *b);

/* domain.c: the irq domain whose hardware is the store. */
int ims_domain_create(struct ims_store *ims);
void ims_domain_remove(struct ims_store *ims);

/* irqs.c: taking interrupts, and waiting for them. */
#define IMS_ANY_CPU UINT_MAX
int ims_irq_take(struct ims_store *ims, unsigned int slot, unsigned int cpu);
void ims_irq_give(struct ims_store *ims, unsigned int slot);
void ims_irq_give_all(struct ims_store *ims);
irqreturn_t ims_irq_handler(int virq, void *data);
unsigned int ims_irq_effective_cpu(unsigned int virq);
unsigned int ims_nth_cpu(unsigned int n);
bool ims_in_flight_none(struct ims_store *ims);
bool ims_wait_taken(struct ims_store *ims, unsigned int wanted);

/* msix.c: the device's MSI-X vectors, all but the first after enabling. */
int ims_msix_take_all(struct ims_store *ims);
void ims_msix_give_all(struct ims_store *ims);

/* report.c: a test says what it found. */
struct ims_report {
	char values[160];
	size_t length;
	char why[160];
};

__printf(2, 3) void ims_value(struct ims_report *report, const char *format, ...);
/* Always returns -EIO, so that a test can return it. */
__printf(2, 3) int ims_wrong(struct ims_report *report, const char *format, ...);

/* tests.c: all tests by name. Returns -ENOENT if there is none. */
int ims_test_run(struct ims_store *ims, const char *name);

int ims_test_registers(struct ims_store *ims, struct ims_report *report);
int ims_test_msix(struct ims_store *ims, struct ims_report *report);
int ims_test_spread(struct ims_store *ims, struct ims_report *report);
int ims_test_move(struct ims_store *ims, struct ims_report *report);
int ims_test_hold(struct ims_store *ims, struct ims_report *report);
int ims_test_reuse(struct ims_store *ims, struct ims_report *report);
int ims_test_absent(struct ims_store *ims, struct ims_report *report);
int ims_test_unasked(struct ims_store *ims, struct ims_report *report);
int ims_test_exhaust(struct ims_store *ims, struct ims_report *report);
int ims_test_gone(struct ims_store *ims, struct ims_report *report);

#endif
