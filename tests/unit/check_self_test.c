#include <check.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "bus/bus.h"
#include "bus/zap.h"
#include "scratch.h"

/*
 * A process in which no ZAP handler runs: libzmq then lets everyone in, and
 * the self test is what notices.  These stand in for lib/bus/zap.c.
 */

struct zap {
	char unused;
};

enum status zap_new(void *context, struct zap **out)
{
	(void)context;
	*out = calloc(1, sizeof(**out));
	return *out ? STATUS_OK : STATUS_NO_SPACE;
}

void zap_destroy(struct zap **self_p)
{
	free(*self_p);
	*self_p = NULL;
}

enum status zap_allow(
    struct zap *self, const char *door, const struct allow_list *allow)
{
	(void)self;
	(void)door;
	(void)allow;
	return STATUS_OK;
}

START_TEST(everyone_comes_in)
{
	struct curve_keys keys;
	struct bus *bus = NULL;

	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&keys, &bus), STATUS_OK);
	capture_begin(STDERR_FILENO);
	enum status st = bus_self_test(bus);
	const char *said = capture_end();
	ck_assert_int_eq(st, STATUS_DENIED);
	ck_assert_ptr_nonnull(
	    strstr(said, "event=self_test_failed status=denied"));
	bus_destroy(&bus);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("self_test");
	TCase *proof = tcase_create("G-01 the self test without ZAP");

	tcase_set_timeout(proof, 60);
	tcase_add_test(proof, everyone_comes_in);
	suite_add_tcase(suite, proof);

	if (sodium_init() < 0)
		return EXIT_FAILURE;
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
