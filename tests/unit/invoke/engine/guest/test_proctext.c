/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "invoke/engine/guest/proctext.h"

static char out[8192];
static size_t out_len;
static struct scar_guest guest;
static struct scar_proctext view;

static void take(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	assert_true(out_len + len < sizeof(out));
	memcpy(out + out_len, text, len);
	out_len += len;
	out[out_len] = '\0';
}

/* The image "text/x": pages 4 and 5 hold pages 16 and 17 of the file; all else are trampolines. */
static bool patched(void *ctx, const char *path, uint64_t offset, uint64_t *ret_offset)
{
	(void)ctx;
	if (strcmp(path, "/host/state/text/x") != 0 || offset < 0x4000 || offset >= 0x6000)
		return false;
	*ret_offset = offset - 0x4000 + 0x10000;
	return true;
}

static int start(void **state)
{
	(void)state;
	memset(&guest, 0, sizeof(guest));
	guest.root = "/host/root";
	guest.root_len = strlen(guest.root);
	guest.state_dir = "/host/state";
	assert_int_equal(scar_guest_bind_add(&guest, "/proc", "/proc", SCAR_BIND_PROC), 0);
	assert_int_equal(
		scar_guest_bind_add(&guest, "/host/state/shm", "/dev/shm", SCAR_BIND_TMPFS), 0);
	assert_int_equal(
		scar_guest_bind_add(&guest, "/host/my input", "/in put", SCAR_BIND_READ_ONLY), 0);
	view = (struct scar_proctext){.guest = &guest,
				      .sink = take,
				      .patched = patched,
				      .hide_low = 0x60000000,
				      .hide_high = 0x60100000};
	out_len = 0;
	out[0] = '\0';
	return 0;
}

#define PAD "                "

static void mapped_names_become_the_guests(void **state)
{
	static const char text[] = "00400000-00401000 r--p 00000000 fe:00 12" PAD PAD
				   " /host/root/bin/x\n"
				   "7f0000000000-7f0000001000 rw-s 00000000 00:01 7" PAD
				   "          /host/state/shm/s (deleted)\n"
				   "7f0000002000-7f0000003000 rw-p 00000000 00:00 0 \n"
				   "7f0000003000-7f0000004000 rw-p 00000000 00:00 0" PAD
				   "          [stack]\n"
				   "7f0000004000-7f0000005000 rw-s 00000000 00:01 9" PAD
				   "          /memfd:a b\n";

	(void)state;
	scar_proctext_maps(&view, text, strlen(text));
	assert_string_equal(out, "00400000-00401000 r--p 00000000 fe:00 12" PAD PAD " /bin/x\n"
				 "7f0000000000-7f0000001000 rw-s 00000000 00:01 7" PAD
				 "          /dev/shm/s (deleted)\n"
				 "7f0000002000-7f0000003000 rw-p 00000000 00:00 0 \n"
				 "7f0000003000-7f0000004000 rw-p 00000000 00:00 0" PAD
				 "          [stack]\n"
				 "7f0000004000-7f0000005000 rw-s 00000000 00:01 9" PAD
				 "          /memfd:a b\n");
}

static void patched_pages_show_as_one_mapping_of_the_file(void **state)
{
	static const char text[] = "00400000-00410000 r-xp 00000000 fe:00 12 /host/root/bin/x\n"
				   "00410000-00412000 r-xp 00004000 00:1b 99 /host/state/text/x\n"
				   "00412000-00420000 r-xp 00012000 fe:00 12 /host/root/bin/x\n"
				   "00420000-00430000 r--p 00020000 fe:00 12 /host/root/bin/x\n";

	(void)state;
	scar_proctext_maps(&view, text, strlen(text));
	assert_string_equal(out, "00400000-00420000 r-xp 00000000 fe:00 12" PAD PAD " /bin/x\n"
				 "00420000-00430000 r--p 00020000 fe:00 12" PAD PAD " /bin/x\n");
}

static void patched_pages_at_the_start_take_the_name_that_follows(void **state)
{
	static const char text[] = "00410000-00412000 r-xp 00004000 00:1b 99 /host/state/text/x\n"
				   "00412000-00420000 r-xp 00012000 fe:00 12 /host/root/bin/x\n";

	(void)state;
	scar_proctext_maps(&view, text, strlen(text));
	assert_string_equal(out, "00410000-00420000 r-xp 00010000 fe:00 12" PAD PAD " /bin/x\n");
}

static void the_engine_does_not_show(void **state)
{
	static const char text[] =
		"10000000-10001000 r-xp 00001000 00:1b 99 /host/state/text/x\n"
		"60000000-60001000 r-xp 00000000 00:1b 98 /host/state/loader\n"
		"60001000-60100000 rw-p 00000000 00:00 0 \n"
		"7f0000000000-7f0000001000 rw-s 0 00:1b 97 /host/state/owners-1\n";

	(void)state;
	scar_proctext_maps(&view, text, strlen(text));
	assert_string_equal(out, "");
}

static void details_of_hidden_mappings_are_hidden_too(void **state)
{
	static const char text[] = "60000000-60001000 r-xp 00000000 00:1b 98 /host/state/loader\n"
				   "Size:                  4 kB\n"
				   "VmFlags: rd ex\n"
				   "70000000-70001000 rw-p 00000000 00:00 0 \n"
				   "Size:                  8 kB\n";

	(void)state;
	scar_proctext_maps(&view, text, strlen(text));
	assert_string_equal(out, "70000000-70001000 rw-p 00000000 00:00 0 \n"
				 "Size:                  8 kB\n");
}

static void numa_maps_name_guest_files(void **state)
{
	static const char text[] = "00400000 default file=/host/root/bin/x mapped=2 N0=2\n";

	(void)state;
	scar_proctext_maps(&view, text, strlen(text));
	assert_string_equal(out, "00400000 default file=/bin/x mapped=2 N0=2\n");
}

static void what_is_no_mapping_stays(void **state)
{
	static const char text[] = "nonsense\n\n-\n0-1 rw\nzz";

	(void)state;
	scar_proctext_maps(&view, text, strlen(text));
	assert_string_equal(out, text);
}

static const char mountinfo[] =
	"20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=continue\n"
	"21 20 0:21 / /proc rw,nosuid shared:2 master:3 - proc proc rw\n"
	"22 20 0:40 / /host/root/mnt/a\\040b rw - tmpfs none ro,size=4k\n"
	"23 22 0:41 / /elsewhere rw - tmpfs none rw\n";

static void mountinfo_lists_root_binds_and_what_is_mounted_below(void **state)
{
	(void)state;
	scar_proctext_mounts(&view, SCAR_MOUNTS_INFO, mountinfo, strlen(mountinfo));
	assert_string_equal(
		out,
		"1000000 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=continue\n"
		"1000001 1000000 0:21 / /proc rw,nosuid shared:2 master:3 - proc proc rw\n"
		"1000002 1000000 8:1 / /dev/shm rw,relatime shared:1 - tmpfs /dev/sda1 rw,errors=continue\n"
		"1000003 1000000 8:1 /host/my\\040input /in\\040put ro,relatime shared:1 - ext4 /dev/sda1 rw,errors=continue\n"
		"22 1000000 0:40 / /mnt/a\\040b rw - tmpfs none ro,size=4k\n");
}

static void mounts_is_made_from_mountinfo(void **state)
{
	(void)state;
	scar_proctext_mounts(&view, SCAR_MOUNTS_TABLE, mountinfo, strlen(mountinfo));
	assert_string_equal(out, "/dev/sda1 / ext4 rw,relatime,errors=continue 0 0\n"
				 "proc /proc proc rw,nosuid 0 0\n"
				 "/dev/sda1 /dev/shm tmpfs rw,relatime,errors=continue 0 0\n"
				 "/dev/sda1 /in\\040put ext4 ro,relatime,errors=continue 0 0\n"
				 "none /mnt/a\\040b tmpfs ro,size=4k 0 0\n");
}

static void mountstats_is_made_from_mountinfo(void **state)
{
	(void)state;
	guest.bind_count = 0;
	scar_proctext_mounts(&view, SCAR_MOUNTS_STATS, mountinfo, strlen(mountinfo));
	assert_string_equal(out, "device /dev/sda1 mounted on / with fstype ext4\n"
				 "device none mounted on /mnt/a\\040b with fstype tmpfs\n");
}

static void environ_loses_the_engines_entries(void **state)
{
	static const char text[] = "A=1\0SECRET=x\0B=\0CONFIG=y";
	static const char *const hidden[] = {"SECRET=", "CONFIG=", NULL};

	(void)state;
	scar_proctext_environ(&view, hidden, text, sizeof(text));
	assert_int_equal(out_len, 7);
	assert_memory_equal(out, "A=1\0B=", 7);
}

static void status_shows_the_guests_ids(void **state)
{
	static const char text[] = "Name:\tsh\nUid:\t993\t993\t993\t993\nGid:\t9\t9\t9\t9\n"
				   "Groups:\t9 \nCapEff:\t0000000000000000\nThreads:\t1\n";
	struct scar_guest_ids ids = {.ruid = 1, .groups = {4, 5}, .group_count = 2};

	(void)state;
	scar_proctext_status(&view, &ids, text, strlen(text));
	assert_string_equal(out, "Name:\tsh\nUid:\t1\t0\t0\t0\nGid:\t0\t0\t0\t0\n"
				 "Groups:\t4 5 \nCapEff:\t000001ffffffffff\nThreads:\t1\n");
}

static void status_shows_no_tracer_that_is_ours(void **state)
{
	static const char text[] = "Pid:\t7\nTracerPid:\t4711\nUid:\t0\t0\t0\t0\n";
	struct scar_guest traced = *view.guest;
	const struct scar_guest_ids ids = {.ruid = 0};
	const struct scar_guest *untraced = view.guest;

	(void)state;
	traced.flags |= SCAR_GUEST_TRACED;
	view.guest = &traced;
	scar_proctext_status(&view, &ids, text, strlen(text));
	view.guest = untraced;
	assert_string_equal(out, "Pid:\t7\nTracerPid:\t0\nUid:\t0\t0\t0\t0\n");
}

static void status_shows_another_tracer(void **state)
{
	static const char text[] = "TracerPid:\t4711\n";
	const struct scar_guest_ids ids = {.ruid = 0};

	(void)state;
	scar_proctext_status(&view, &ids, text, strlen(text));
	assert_string_equal(out, text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(mapped_names_become_the_guests, start),
		cmocka_unit_test_setup(patched_pages_show_as_one_mapping_of_the_file, start),
		cmocka_unit_test_setup(patched_pages_at_the_start_take_the_name_that_follows,
				       start),
		cmocka_unit_test_setup(the_engine_does_not_show, start),
		cmocka_unit_test_setup(details_of_hidden_mappings_are_hidden_too, start),
		cmocka_unit_test_setup(numa_maps_name_guest_files, start),
		cmocka_unit_test_setup(what_is_no_mapping_stays, start),
		cmocka_unit_test_setup(mountinfo_lists_root_binds_and_what_is_mounted_below, start),
		cmocka_unit_test_setup(mounts_is_made_from_mountinfo, start),
		cmocka_unit_test_setup(mountstats_is_made_from_mountinfo, start),
		cmocka_unit_test_setup(environ_loses_the_engines_entries, start),
		cmocka_unit_test_setup(status_shows_the_guests_ids, start),
		cmocka_unit_test_setup(status_shows_no_tracer_that_is_ours, start),
		cmocka_unit_test_setup(status_shows_another_tracer, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
