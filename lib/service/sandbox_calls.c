#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/util.h"
#include "service/sandbox.h"

#define FAMILIES_MAX 64 /* families of sockets are numbered below */

/* Never made by a process that serves. */
static const int never[] = {
	/* another program, another process, or a look into one */
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(process_madvise),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(pidfd_open),
	SCMP_SYS(kcmp),
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer looks into itself */
	SCMP_SYS(ptrace),
#endif
	/* other file systems, name spaces, and ways around permissions */
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),
	SCMP_SYS(chroot),
	SCMP_SYS(open_tree),
	SCMP_SYS(move_mount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fspick),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(quotactl),
	SCMP_SYS(quotactl_fd),
	SCMP_SYS(fanotify_init),
	/* the machine and its clock */
	SCMP_SYS(reboot),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(acct),
	SCMP_SYS(syslog),
	SCMP_SYS(sethostname),
	SCMP_SYS(setdomainname),
	SCMP_SYS(settimeofday),
	SCMP_SYS(clock_settime),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(adjtimex),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
	SCMP_SYS(personality),
	/* much of the kernel for little use: where holes have been */
	SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(keyctl),
};

/* The only sockets that there are: NETLINK is how addresses are sorted. */
static const int families[] = { AF_UNIX, AF_INET, AF_INET6, AF_NETLINK };

static bool is_used(int family)
{
	for (size_t i = 0; i < nitems(families); i++)
		if (families[i] == family)
			return true;
	return false;
}

static int refuse_sockets(scmp_filter_ctx filter)
{
	const uint32_t refusal = SCMP_ACT_ERRNO(EAFNOSUPPORT);

	int failed = seccomp_rule_add(filter, refusal, SCMP_SYS(socket), 1,
	    SCMP_A0(SCMP_CMP_GE, FAMILIES_MAX));
	for (int family = 0; family < FAMILIES_MAX && failed == 0; family++)
		if (!is_used(family))
			failed =
			    seccomp_rule_add(filter, refusal, SCMP_SYS(socket),
				1, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family));
	return failed;
}

/* Memory is written or run, not both, and what was written is not run. */
static int refuse_new_code(scmp_filter_ctx filter)
{
	const uint32_t refusal = SCMP_ACT_ERRNO(EPERM);
	const scmp_datum_t both = PROT_WRITE | PROT_EXEC;

	int failed = seccomp_rule_add(filter, refusal, SCMP_SYS(mmap), 1,
	    SCMP_A2(SCMP_CMP_MASKED_EQ, both, both));
	if (failed == 0)
		failed = seccomp_rule_add(filter, refusal, SCMP_SYS(mprotect),
		    1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	if (failed == 0)
		failed =
		    seccomp_rule_add(filter, refusal, SCMP_SYS(pkey_mprotect),
			1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC));
	return failed;
}

/* A thread is made by clone or clone3.  What clone3 is asked for no filter can
 * see; without it the C library takes clone. */
static int refuse_processes(scmp_filter_ctx filter)
{
#ifdef __SANITIZE_ADDRESS__ /* LeakSanitizer makes one of its own */
	(void)filter;
	return 0;
#else
	int failed = seccomp_rule_add(
	    filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
	if (failed == 0)
		failed = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM),
		    SCMP_SYS(clone), 1,
		    SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
	return failed;
#endif
}

/* 0, or the negative error number of what failed. */
static int load_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (!filter)
		return -ENOMEM;
	int failed = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	for (size_t i = 0; i < nitems(never) && failed == 0; i++)
		failed = seccomp_rule_add(
		    filter, SCMP_ACT_ERRNO(EPERM), never[i], 0);
	if (failed == 0)
		failed = refuse_sockets(filter);
	if (failed == 0)
		failed = refuse_new_code(filter);
	if (failed == 0)
		failed = refuse_processes(filter);
	if (failed == 0)
		failed = seccomp_load(filter);
	seccomp_release(filter);
	return failed;
}

enum status sandbox_calls(const struct sandbox *self, const struct conf *conf)
{
	const char *wanted = conf_text(conf, "common", "sandbox");

	if (strcmp(wanted, "no") == 0)
		return STATUS_OK;
	int failed = load_filter();
	if (failed != 0 && strcmp(wanted, "yes") == 0) {
		log_error(NULL, "sandbox_failed",
		    "why=\"seccomp: %s\" hint=\"[common] sandbox = auto\"",
		    strerror(-failed));
		return STATUS_UNAVAILABLE;
	}
	log_info(NULL, "sandbox", "landlock=%u seccomp=%s", self->landlock,
	    failed == 0 ? "yes" : "no");
	return STATUS_OK;
}
