/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/capabilities.h"

#include <errno.h>
#include <linux/capability.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/handle.h"

#define ALL ((2ull << CAP_LAST_CAP) - 1)

struct sets {
	uint64_t effective, permitted, inheritable;
};

/* Of this program only: the next one starts with what its user has. */
static struct sets own;
static bool is_known, keeps;

static struct sets *sets(void)
{
	if (!is_known) {
		own.effective = own.permitted = scar_loader.guest.ids.euid == 0 ? ALL : 0;
		is_known = true;
	}
	return &own;
}

bool scar_capable(unsigned capability)
{
	return sets()->effective >> capability & 1;
}

struct scar_guest_ids scar_capabilities_before(void)
{
	sets();
	return scar_loader.guest.ids;
}

static bool has_root(const struct scar_guest_ids *ids)
{
	return !ids->ruid || !ids->euid || !ids->suid;
}

void scar_capabilities_after(const struct scar_guest_ids *before)
{
	const struct scar_guest_ids *now = &scar_loader.guest.ids;

	if (has_root(before) && !has_root(now) && !keeps)
		own.permitted = 0;
	if ((has_root(before) && !has_root(now)) || (!before->euid && now->euid))
		own.effective = 0;
	if (before->euid && !now->euid)
		own.effective = own.permitted;
}

void scar_capabilities_keep(bool keep)
{
	keeps = keep;
}

/* In how many words of 32 bits a set comes, or -errno. */
static long words_of(const struct scar_regs *r)
{
	struct __user_cap_header_struct *header = (struct __user_cap_header_struct *)r->arg[0];

	if (scar_is_bad_pointer(header))
		return -EFAULT;
	switch (header->version) {
	case _LINUX_CAPABILITY_VERSION_1: return 1;
	case _LINUX_CAPABILITY_VERSION_2:
	case _LINUX_CAPABILITY_VERSION_3: return 2;
	default:
		/* Writes the version that it would take, which is how a program asks for it. */
		return scar_sys(__NR_capget, header, NULL) == -EFAULT ? -EFAULT : -EINVAL;
	}
}

static bool is_own(const struct scar_regs *r)
{
	const int pid = ((const struct __user_cap_header_struct *)r->arg[0])->pid;

	return pid == 0 || pid == scar_sys(__NR_gettid) || pid == scar_sys(__NR_getpid);
}

static uint32_t word(uint64_t set, long i)
{
	return (uint32_t)(set >> 32 * i);
}

long scar_call_capget(const struct scar_regs *r)
{
	struct __user_cap_data_struct *data = (struct __user_cap_data_struct *)r->arg[1];
	const struct sets *s = sets();
	long words = words_of(r);

	if (!data)
		return words == -EFAULT ? words : 0;
	if (words < 0)
		return words;
	if (!is_own(r))
		return scar_sys(__NR_capget, r->arg[0], data);
	if (scar_is_bad_pointer(data))
		return -EFAULT;
	for (long i = 0; i < words; i++)
		data[i] = (struct __user_cap_data_struct){.effective = word(s->effective, i),
							  .permitted = word(s->permitted, i),
							  .inheritable = word(s->inheritable, i)};
	return 0;
}

long scar_call_capset(const struct scar_regs *r)
{
	const struct __user_cap_data_struct *data = (const struct __user_cap_data_struct *)
							    r->arg[1];
	struct sets want = {.effective = 0}, *s = sets();
	long words = words_of(r);

	if (words < 0)
		return words;
	if (!is_own(r))
		return -EPERM;
	if (scar_is_bad_pointer(data))
		return -EFAULT;
	for (long i = 0; i < words; i++) {
		want.effective |= (uint64_t)data[i].effective << 32 * i;
		want.permitted |= (uint64_t)data[i].permitted << 32 * i;
		want.inheritable |= (uint64_t)data[i].inheritable << 32 * i;
	}
	/* What the kernel has none of can neither be asked for, other than in vain. */
	want.effective &= ALL;
	want.permitted &= ALL;
	want.inheritable &= ALL;
	if ((want.permitted & ~s->permitted) || (want.effective & ~want.permitted) ||
	    (want.inheritable & ~(s->inheritable | s->permitted)))
		return -EPERM;
	*s = want;
	return 0;
}
