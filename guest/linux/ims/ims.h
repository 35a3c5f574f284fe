/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupts from a device's store: what the module `ims_domain` and the drivers
 * of devices share.
 *
 *	CPU vectors, or a remapping unit
 *	        |
 *	    domain.c  ---- slots.c ----> the device's store
 *	        |
 *	     irqs.c   <--- fire.c, test_*.c ---> struct ims_device: raise, settle
 */
#ifndef IMS_H
#define IMS_H

#include <linux/atomic.h>
#include <linux/interrupt.h>
#include <linux/msi.h>
#include <linux/pci.h>
#include <linux/types.h>

#include "slots.h"

struct ims_store;
struct ims_report;

/* An interrupt that a test has taken, and what came of it. */
struct ims_irq {
	struct ims_store *ims;
	unsigned int virq;	/* 0: not taken */
	unsigned int cpu;	/* where it must arrive */
	atomic_t taken;		/* how often it arrived */
	atomic_t astray;	/* how often on another CPU */
};

/* A test by name. It returns 0, or what ims_wrong() did. */
struct ims_test {
	const char *name;
	int (*run)(struct ims_store *ims, struct ims_report *report);
};

/* What a driver knows of its device. All are called in process context. */
struct ims_device {
	/* Whether it still answers; one that is gone reads all ones. */
	bool (*alive)(struct ims_store *ims);
	/* Optional: a slot is about to be raised, or is not any more. */
	int (*open)(struct ims_store *ims, unsigned int slot);
	void (*close)(struct ims_store *ims, unsigned int slot);
	int (*raise)(struct ims_store *ims, unsigned int slot);
	/* Raises all slots as fast as the device can. */
	int (*raise_all)(struct ims_store *ims);
	/* Waits until nothing that was raised is still to be sent. */
	int (*settle)(struct ims_store *ims);
	/* The last one has no name. */
	const struct ims_test *tests;
};

/* Part of a driver's own, which is what the PCI device's data points to. */
struct ims_store {
	const struct ims_device *device;
	struct pci_dev *pdev;
	void __iomem *store;	/* slot 0 */
	unsigned int slots;
	struct fwnode_handle *fwnode;
	struct irq_domain *domain;
	atomic_t taken;		/* the sum over all interrupts */
	struct ims_irq *irqs;	/* one a slot */
};

/* What a slot holds, as software last wrote it. */
struct ims_slot {
	u32 address_lo;
	u32 address_hi;
	u32 data;
	u32 control;
};

/* slots.c: reading and writing slots. */
void ims_slot_read(struct ims_store *ims, unsigned int n, struct ims_slot *slot);
void ims_slot_program(struct ims_store *ims, unsigned int n, const struct msi_msg *msg);
void ims_slot_clear(struct ims_store *ims, unsigned int n);
void ims_slot_mask(struct ims_store *ims, unsigned int n);
void ims_slot_unmask(struct ims_store *ims, unsigned int n);
bool ims_slot_remappable(const struct ims_slot *slot);
bool ims_slot_same_message(const struct ims_slot *a, const struct ims_slot *b);

/*
 * domain.c: the irq domain whose hardware is the store. Before it is made `device`,
 * `pdev`, `store` and `slots` are set; when it is removed no interrupt is taken.
 */
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
bool ims_wait_taken(struct ims_store *ims, unsigned int wanted);

/* report.c: a test says what it found. */
struct ims_report {
	char values[160];
	size_t length;
	char why[160];
};

__printf(2, 3) void ims_value(struct ims_report *report, const char *format, ...);
/* Always returns -EIO, so that a test can return it. */
__printf(2, 3) int ims_wrong(struct ims_report *report, const char *format, ...);

/* tests.c: the attribute `run` of a device; a test's name written there runs it. */
extern const struct attribute_group *ims_groups[];

/* fire.c: the steps that tests are made of. */
int ims_check_each(struct ims_irq *irqs, unsigned int count, int times, const char *what,
		   struct ims_report *report);
int ims_take_all(struct ims_store *ims, struct ims_report *report);
int ims_fire_each(struct ims_store *ims, struct ims_report *report);
int ims_fire_burst(struct ims_store *ims, struct ims_report *report);
int ims_fire_first(struct ims_store *ims, unsigned int count, struct ims_report *report);
int ims_fire_absent(struct ims_store *ims, struct ims_report *report);

/* test_domain.c, test_faults.c: tests of any device. */
int ims_test_move(struct ims_store *ims, struct ims_report *report);
int ims_test_hold(struct ims_store *ims, struct ims_report *report);
int ims_test_reuse(struct ims_store *ims, struct ims_report *report);
int ims_test_unasked(struct ims_store *ims, struct ims_report *report);
int ims_test_exhaust(struct ims_store *ims, struct ims_report *report);

#endif
