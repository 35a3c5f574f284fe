// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver that was loaded because this module is there must not find itself
 * without it: this one stays as long as the driver does.
 */

#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/string.h>

#include "movdir64b.h"

static DEFINE_MUTEX(follow_lock);
static const char *followed;
static bool with_probes;
static bool there;

static int arrive(struct module *mod)
{
	int ret = 0;

	mutex_lock(&follow_lock);
	if (there)
		goto unlock;
	if (!try_module_get(THIS_MODULE)) {
		ret = -EBUSY;
		goto unlock;
	}
	if (with_probes) {
		ret = movdir64b_probe(mod);
		if (ret < 0) {
			module_put(THIS_MODULE);
			goto unlock;
		}
		pr_info("movdir64b: %d probes in %s\n", ret, mod->name);
		ret = 0;
	}
	there = true;
unlock:
	mutex_unlock(&follow_lock);
	return ret;
}

static void leave(struct module *mod)
{
	mutex_lock(&follow_lock);
	if (there) {
		movdir64b_unprobe(mod);
		there = false;
		module_put(THIS_MODULE);
	}
	mutex_unlock(&follow_lock);
}

static int on_module(struct notifier_block *block, unsigned long state, void *data)
{
	struct module *mod = data;

	if (strcmp(mod->name, followed))
		return NOTIFY_DONE;
	switch (state) {
	case MODULE_STATE_COMING:
		/* An error here keeps the driver from being loaded. */
		return notifier_from_errno(arrive(mod));
	case MODULE_STATE_LIVE:
		/* For one that was coming when we were, too. */
		if (arrive(mod))
			pr_err("movdir64b: cannot help %s\n", mod->name);
		break;
	case MODULE_STATE_GOING:
		leave(mod);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block module_block = { .notifier_call = on_module };

/* The driver if it is loaded already: modules are found by name in sysfs alone. */
static int already(const char *name)
{
	struct kobject *kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, name);
	struct module *mod;
	int ret = 0;

	if (!kobj)
		return 0;
	/* None for what is built in, or is on its way out. */
	mod = container_of(kobj, struct module_kobject, kobj)->mod;
	if (mod && try_module_get(mod)) {
		ret = arrive(mod);
		module_put(mod);
	}
	kobject_put(kobj);
	return ret;
}

int movdir64b_follow_begin(const char *name, bool probed)
{
	int ret;

	followed = name;
	with_probes = probed;
	ret = register_module_notifier(&module_block);
	if (ret)
		return ret;
	ret = already(name);
	if (ret)
		unregister_module_notifier(&module_block);
	return ret;
}

void movdir64b_follow_end(void)
{
	unregister_module_notifier(&module_block);
}
