/*
 * accountload ENROLMENT COUNT PROCESSES
 *
 * Make COUNT accounts, as terminals do: each registers, sets verification
 * information, binds itself and begins a backup, with a key and a connection
 * of its own; PROCESSES of them at a time.  Prints "accounts<tab>COUNT" and
 * "ns<tab>NS", how long it took.
 */
#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/arena.h"
#include "load.h"
#include "store.pb-c.h"

#define PROCESSES_MAX 64

static void account_make(const char *enrolment)
{
	struct load_terminal self = { 0 };
	Store__Empty empty = STORE__EMPTY__INIT;
	Store__Lease *lease;

	load_open(&self, enrolment);
	load_register(&self);
	load_bind(&self);
	struct login *login = load_login(&self, DIRECTION_UPLOAD);
	load_check(&self,
	    session_ask(self.session, STORE__TYPE__BACKUP_BEGIN,
		login_ticket(login), &empty.base, &store__lease__descriptor,
		&lease),
	    "backup");
	login_destroy(&login);
	load_close(&self);
}

int main(int argc, char **argv)
{
	int status, failed = 0;

	if (argc != 4)
		errx(2, "usage: accountload ENROLMENT COUNT PROCESSES");
	size_t count = number_from(argv[2]), processes = number_from(argv[3]);
	if (processes > PROCESSES_MAX)
		errx(2, "at most %d processes", PROCESSES_MAX);
	uint64_t begin = now_ns(CLOCK_MONOTONIC);
	for (size_t i = 0; i < processes; i++) {
		if (fork() != 0)
			continue;
		if (sodium_init() < 0 ||
		    arena_open(LOAD_ARENA_BYTES) != STATUS_OK)
			errx(1, "no locked memory");
		for (size_t k = i; k < count; k += processes)
			account_make(argv[1]);
		_exit(0);
	}
	while (wait(&status) > 0)
		failed |= status;
	printf("accounts\t%zu\n", count);
	printf("ns\t%" PRIu64 "\n", now_ns(CLOCK_MONOTONIC) - begin);
	return failed ? 1 : 0;
}
