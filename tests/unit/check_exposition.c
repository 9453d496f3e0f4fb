#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "service/request_counts.h"
#include "watch/exposition.h"

static struct bytes page;
static struct exposition out;

static void setup(void)
{
	out = (struct exposition){ .out = &page };
}

static void teardown(void)
{
	bytes_clear(&page);
}

/* What is on the page, with a NUL. */
static const char *text(void)
{
	ck_assert_int_eq(out.status, STATUS_OK);
	ck_assert_int_eq(bytes_append(&page, slice_of("", 1)), STATUS_OK);
	page.len--;
	return (const char *)page.data;
}

START_TEST(numbers)
{
	exposition_begin(&out, "a_total", "counter", "What it is.");
	exposition_number(&out, "", UINT64_MAX);
	exposition_begin(&out, "b_seconds", "gauge", "Another.");
	exposition_seconds(&out, "k=\"v\"", 1000001);
	exposition_seconds(&out, "k=\"w\"", 0);
	ck_assert_str_eq(text(), "# HELP a_total What it is.\n"
				 "# TYPE a_total counter\n"
				 "a_total 18446744073709551615\n"
				 "# HELP b_seconds Another.\n"
				 "# TYPE b_seconds gauge\n"
				 "b_seconds{k=\"v\"} 1.000001\n"
				 "b_seconds{k=\"w\"} 0.000000\n");
}
END_TEST

static const struct {
	const char *name, *before, *value, *want;
} labels[] = {
	{ "the first", "", "PUT", "k=\"PUT\"" },
	{ "a second", "a=\"1\"", "2", "a=\"1\",k=\"2\"" },
	{ "empty", "", "", "k=\"\"" },
	{ "quote", "", "a\"b", "k=\"a\\\"b\"" },
	{ "backslash", "", "\\", "k=\"\\\\\"" },
	{ "newline", "", "a\nb", "k=\"a\\nb\"" },
};

START_TEST(label)
{
	char got[LABELS_BYTES];

	snprintf(got, sizeof(got), "%s", labels[_i].before);
	exposition_label(got, "k", labels[_i].value);
	ck_assert_msg(
	    strcmp(got, labels[_i].want) == 0, "%s: %s", labels[_i].name, got);
}
END_TEST

/* Whatever the length, the label is whole or not there. */
START_TEST(label_too_long)
{
	char value[LABELS_BYTES + 8], got[LABELS_BYTES], want[4 * LABELS_BYTES];
	bool left_out = false;

	for (size_t len = 0; len < sizeof(value); len++) {
		memset(value, len % 2 ? '"' : 'v', len);
		value[len] = '\0';
		memcpy(got, "a=\"1\"", 6);
		exposition_label(got, "k", value);
		left_out = strcmp(got, "a=\"1\"") == 0;
		size_t used =
		    (size_t)snprintf(want, sizeof(want), "a=\"1\",k=\"");
		for (size_t i = 0; i < len; i++)
			used += (size_t)snprintf(want + used,
			    sizeof(want) - used, len % 2 ? "\\\"" : "v");
		snprintf(want + used, sizeof(want) - used, "\"");
		ck_assert(left_out || strcmp(got, want) == 0);
	}
	ck_assert(left_out);
}
END_TEST

START_TEST(buckets)
{
	struct histogram histogram = { 0 };
	uint64_t previous = 0;

	for (unsigned int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t bound = histogram_bound_us(i);
		ck_assert_uint_gt(bound, previous);
		previous = bound;
		if (bound == UINT64_MAX)
			break;
		/* Its bound belongs to a bucket, one more to the next. */
		histogram_observe(&histogram, bound);
		ck_assert_uint_eq(histogram.counts[i], i == 0 ? 1 : 2);
		histogram_observe(&histogram, bound + 1);
		ck_assert_uint_eq(histogram.counts[i + 1], 1);
	}
	ck_assert_uint_eq(previous, UINT64_MAX);
	histogram_observe(&histogram, 0);
	ck_assert_uint_eq(histogram.counts[0], 2);
	ck_assert_uint_eq(histogram.count, 2 * HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(histogram_page)
{
	struct histogram histogram = { 0 };

	histogram_observe(&histogram, 100);
	histogram_observe(&histogram, 101);
	histogram_observe(&histogram, 60000000);
	exposition_begin(&out, "d_seconds", "histogram", "Durations.");
	exposition_histogram(&out, "type=\"PUT\"", &histogram);
	const char *got = text();
	static const char *const wanted[] = {
		"d_seconds_bucket{type=\"PUT\",le=\"0.0001\"} 1\n",
		"d_seconds_bucket{type=\"PUT\",le=\"0.00025\"} 2\n",
		"d_seconds_bucket{type=\"PUT\",le=\"10\"} 2\n",
		"d_seconds_bucket{type=\"PUT\",le=\"+Inf\"} 3\n",
		"d_seconds_sum{type=\"PUT\"} 60.000201\n",
		"d_seconds_count{type=\"PUT\"} 3\n",
	};
	for (size_t i = 0; i < nitems(wanted); i++)
		ck_assert_msg(strstr(got, wanted[i]) != NULL, "%s", wanted[i]);
}
END_TEST

START_TEST(histogram_without_labels)
{
	struct histogram histogram = { 0 };

	exposition_begin(&out, "d_seconds", "histogram", "Durations.");
	exposition_histogram(&out, "", &histogram);
	const char *got = text();
	ck_assert_ptr_nonnull(strstr(got, "d_seconds_bucket{le=\"+Inf\"} 0\n"));
	ck_assert_ptr_nonnull(strstr(got, "d_seconds_count 0\n"));
}
END_TEST

START_TEST(requests)
{
	struct request_counts *counts;
	static const char *const wanted[] = {
		"keepsake_requests_total{type=\"PUT\",status=\"ok\"} 2\n",
		"keepsake_requests_total{type=\"PUT\",status=\"busy\"} 1\n",
		"keepsake_requests_total{type=\"GET\",status=\"ok\"} 1\n",
		"keepsake_requests_total{type=\"other\",status=\"malformed\"} "
		"2\n",
		"keepsake_request_duration_seconds_count{type=\"PUT\"} 3\n",
		"keepsake_request_duration_seconds_count{type=\"other\"} 2\n",
	};

	ck_assert_int_eq(request_counts_new(&counts), STATUS_OK);
	request_counts_note(counts, 0x0203, "PUT", STATUS_OK, 5);
	request_counts_note(counts, 0x0203, "PUT", STATUS_OK, 5);
	request_counts_note(counts, 0x0203, "PUT", STATUS_BUSY, 5);
	request_counts_note(counts, 0x0204, "GET", STATUS_OK, 5);
	request_counts_note(counts, 0x0299, NULL, STATUS_MALFORMED, 5);
	request_counts_note(counts, 0x1234567, NULL, STATUS_MALFORMED, 5);
	request_counts_expose(counts, REQUESTS_ANSWERED, &out);
	const char *got = text();
	for (size_t i = 0; i < nitems(wanted); i++)
		ck_assert_msg(
		    strstr(got, wanted[i]) != NULL, "%s in %s", wanted[i], got);
	request_counts_destroy(&counts);
	ck_assert_ptr_null(counts);
}
END_TEST

/* However many types there seem to be, the page has a bound. */
START_TEST(many_types)
{
	struct request_counts *counts;
	size_t lines = 0;

	ck_assert_int_eq(request_counts_new(&counts), STATUS_OK);
	for (uint32_t type = 0; type < 10000; type++)
		request_counts_note(counts, type, "TYPE", STATUS_OK, 5);
	request_counts_expose(counts, REQUESTS_FORWARDED, &out);
	for (const char *at = text(); (at = strstr(at, "_total{")); at++)
		lines++;
	ck_assert_uint_eq(lines, REQUEST_TYPES_MAX + 1);
	request_counts_destroy(&counts);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("exposition");
	TCase *tcase = tcase_create("O-03 text format 0.0.4");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, numbers);
	tcase_add_loop_test(tcase, label, 0, nitems(labels));
	tcase_add_test(tcase, label_too_long);
	tcase_add_test(tcase, buckets);
	tcase_add_test(tcase, histogram_page);
	tcase_add_test(tcase, histogram_without_labels);
	tcase_add_test(tcase, requests);
	tcase_add_test(tcase, many_types);
	suite_add_tcase(suite, tcase);
	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
