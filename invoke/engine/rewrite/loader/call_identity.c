/* SPDX-License-Identifier: Apache-2.0 */
#include "invoke/engine/rewrite/loader/handle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>

#include "invoke/engine/guest/sys.h"
#include "invoke/engine/rewrite/loader/capabilities.h"
#include "invoke/engine/rewrite/loader/owners.h"
#include "invoke/engine/rewrite/loader/undo.h"

#define AT_SYMLINK_NOFOLLOW_ 0x100
#define AT_EMPTY_PATH_ 0x1000
#define KEEP UINT32_MAX

uint32_t scar_shown_uid(uint32_t host_uid)
{
	return host_uid == scar_loader.guest.host_uid ? scar_loader.guest.ids.fsuid : host_uid;
}

uint32_t scar_shown_gid(uint32_t host_gid)
{
	return host_gid == scar_loader.guest.host_gid ? scar_loader.guest.ids.fsgid : host_gid;
}

/* The three ids of users, or of groups; the fs id follows the effective one. */
struct trio {
	uint32_t *real, *effective, *saved, *fs;
	unsigned capability; /* that lets them be anything */
};

static struct trio users(void)
{
	struct scar_guest_ids *i = &scar_loader.guest.ids;

	return (struct trio){&i->ruid, &i->euid, &i->suid, &i->fsuid, CAP_SETUID};
}

static struct trio groups(void)
{
	struct scar_guest_ids *i = &scar_loader.guest.ids;

	return (struct trio){&i->rgid, &i->egid, &i->sgid, &i->fsgid, CAP_SETGID};
}

/* An unprivileged process may only take what it already has. */
static bool may_take(const struct trio *t, uint32_t id)
{
	return id == KEEP || scar_capable(t->capability) || id == *t->real || id == *t->effective ||
	       id == *t->saved;
}

static long set_three(struct trio t, uint32_t real, uint32_t effective, uint32_t saved)
{
	const struct scar_guest_ids before = scar_capabilities_before();

	if (!may_take(&t, real) || !may_take(&t, effective) || !may_take(&t, saved))
		return -EPERM;
	if (real != KEEP)
		*t.real = real;
	if (saved != KEEP)
		*t.saved = saved;
	if (effective != KEEP)
		*t.effective = *t.fs = effective;
	scar_capabilities_after(&before);
	return 0;
}

/* setuid(2): of the privileged it sets all three, of others the effective one. */
static long set_one(struct trio t, uint32_t id)
{
	return scar_capable(t.capability) ? set_three(t, id, id, id) : set_three(t, KEEP, id, KEEP);
}

/* setreuid(2): the saved id follows if the real one is set or the effective one differs from it. */
static long set_two(struct trio t, uint32_t real, uint32_t effective)
{
	const struct scar_guest_ids before = scar_capabilities_before();
	uint32_t old_real = *t.real;
	bool saves = real != KEEP || (effective != KEEP && effective != old_real);
	long ret = set_three(t, real, effective, KEEP);

	if (ret == 0 && saves)
		*t.saved = *t.effective;
	scar_capabilities_after(&before);
	return ret;
}

/* setfsuid(2) tells the old id, whether or not it changes. */
static long set_fs(struct trio t, uint32_t id)
{
	uint32_t old = *t.fs;

	if (id != KEEP && (may_take(&t, id) || id == old))
		*t.fs = id;
	return old;
}

static long get_three(struct trio t, const struct scar_regs *r)
{
	uint32_t *out[3] = {(uint32_t *)r->arg[0], (uint32_t *)r->arg[1], (uint32_t *)r->arg[2]};

	for (int i = 0; i < 3; i++)
		if (scar_is_bad_pointer(out[i]))
			return -EFAULT;
	*out[0] = *t.real;
	*out[1] = *t.effective;
	*out[2] = *t.saved;
	return 0;
}

static long get_groups(int size, uint32_t *list)
{
	const struct scar_guest_ids *ids = &scar_loader.guest.ids;

	if (size < 0 || (size && size < (int)ids->group_count))
		return -EINVAL;
	if (size && ids->group_count && scar_is_bad_pointer(list))
		return -EFAULT;
	for (uint32_t i = 0; size && i < ids->group_count; i++)
		list[i] = ids->groups[i];
	return ids->group_count;
}

static long set_groups(uint64_t count, const uint32_t *list)
{
	struct scar_guest_ids *ids = &scar_loader.guest.ids;

	if (!scar_capable(CAP_SETGID))
		return -EPERM;
	if (count > 65536)
		return -EINVAL;
	if (count && scar_is_bad_pointer(list))
		return -EFAULT;
	/* What we cannot remember only shows in getgroups. */
	ids->group_count = count < SCAR_GUEST_GROUPS_MAX ? (uint32_t)count : SCAR_GUEST_GROUPS_MAX;
	for (uint32_t i = 0; i < ids->group_count; i++)
		ids->groups[i] = list[i];
	return 0;
}

long scar_call_identity(struct scar_regs *r)
{
	const struct scar_guest_ids *ids = &scar_loader.guest.ids;
	uint32_t a = (uint32_t)r->arg[0], b = (uint32_t)r->arg[1], c = (uint32_t)r->arg[2];

	switch (r->nr) {
	case __NR_getuid: return ids->ruid;
	case __NR_geteuid: return ids->euid;
	case __NR_getgid: return ids->rgid;
	case __NR_getegid: return ids->egid;
	case __NR_setuid: return a == KEEP ? -EINVAL : set_one(users(), a);
	case __NR_setgid: return a == KEEP ? -EINVAL : set_one(groups(), a);
	case __NR_setreuid: return set_two(users(), a, b);
	case __NR_setregid: return set_two(groups(), a, b);
	case __NR_setresuid: return set_three(users(), a, b, c);
	case __NR_setresgid: return set_three(groups(), a, b, c);
	case __NR_getresuid: return get_three(users(), r);
	case __NR_getresgid: return get_three(groups(), r);
	case __NR_setfsuid: return set_fs(users(), a);
	case __NR_setfsgid: return set_fs(groups(), a);
	case __NR_getgroups: return get_groups((int)r->arg[0], (uint32_t *)r->arg[1]);
	case __NR_setgroups: return set_groups((uint64_t)r->arg[0], (const uint32_t *)r->arg[1]);
	case __NR_capget: return scar_call_capget(r);
	case __NR_capset: return scar_call_capset(r);
	default: return -ENOSYS;
	}
}

/* The host's owner cannot change; that the file is there and writable is still found out. */
long scar_call_chown(struct scar_regs *r)
{
	bool at = r->nr == __NR_fchownat, by_fd = r->nr == __NR_fchown;
	uint32_t uid = (uint32_t)(at ? r->arg[2] : r->arg[1]),
		 gid = (uint32_t)(at ? r->arg[3] : r->arg[2]);
	long flags = at ? r->arg[4] : (r->nr == __NR_lchown ? AT_SYMLINK_NOFOLLOW_ : 0), ret;
	int dir_fd = at ? (int)r->arg[0] : AT_FDCWD;
	const char *path = (const char *)(at ? r->arg[1] : r->arg[0]);
	const bool is_root = scar_capable(CAP_CHOWN);
	struct scar_where where;

	where.dir_fd = AT_FDCWD;
	where.path = NULL;
	if (by_fd) {
		scar_undo_changing((int)r->arg[0], "", AT_EMPTY_PATH_);
		ret = scar_sys(__NR_fchown, r->arg[0], -1, -1);
	} else if ((flags & AT_EMPTY_PATH_) && !scar_is_bad_pointer(path) && !*path) {
		scar_undo_changing(dir_fd, path, flags);
		ret = scar_sys(__NR_fchownat, dir_fd, path, -1, -1, flags);
	} else {
		ret = scar_resolve(dir_fd, path,
				   flags & AT_SYMLINK_NOFOLLOW_ ? SCAR_PATH_NOFOLLOW
								: SCAR_PATH_FOLLOW,
				   &where);
		if (ret == 0 && where.read_only)
			return -EROFS;
		if (ret == 0) {
			scar_undo_changing(where.dir_fd, where.path, flags);
			ret = scar_sys(__NR_fchownat, where.dir_fd, where.path, -1, -1, flags);
		}
	}
	if (ret == -EPERM && is_root)
		ret = 0;
	if (ret == 0 && is_root) {
		if (by_fd)
			scar_owners_changed((int)r->arg[0], "", AT_EMPTY_PATH_, uid, gid);
		else if (where.path)
			scar_owners_changed(where.dir_fd, where.path, flags, uid, gid);
		else
			scar_owners_changed(dir_fd, path, flags, uid, gid);
	}
	if (ret || is_root)
		return ret;
	return (uid == KEEP || uid == scar_loader.guest.ids.euid) &&
			       (gid == KEEP || gid == scar_loader.guest.ids.egid)
		       ? 0
		       : -EPERM;
}
