#ifndef KEEPSAKE_TESTS_RING_H
#define KEEPSAKE_TESTS_RING_H

#include <check.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "crypto/arena.h"
#include "scratch.h"
#include "service/keyring.h"
#include "service/master.h"
#include "service/settings.h"

/*
 * A keyring as a service has it, in the scratch folder: master key in keys/,
 * account keys in ledger/.  The arena is open meanwhile.
 */

static struct keyring *ring;

/* Open it, made at the first time; for ring_close. */
static inline void ring_open(const char *service)
{
	struct conf *conf = NULL;

	mkdir(scratch_path("keys"), 0700);
	mkdir(scratch_path("ledger"), 0700);
	ck_assert_int_eq(
	    setenv("KEEPSAKE_COMMON_KEYS", scratch_path("keys"), 1), 0);
	ck_assert_int_eq(
	    conf_load(settings, settings_count, NULL, &conf), STATUS_OK);
	enum status st = master_make(conf, service);
	ck_assert(st == STATUS_OK || st == STATUS_CONFLICT);
	ck_assert_int_eq(
	    keyring_new(&ring, conf, service, scratch_path("ledger"), true),
	    STATUS_OK);
	conf_destroy(&conf);
}

static inline void ring_close(void)
{
	keyring_destroy(&ring);
}

#endif
