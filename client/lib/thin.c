#include "thin.h"

#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

/* ISO 8601: the week has the year that its Thursday is in. */
static int64_t week_number(const struct tm *day)
{
	struct tm thursday = *day;
	int since_monday = (day->tm_wday + 6) % 7;

	thursday.tm_mday += 3 - since_monday;
	thursday.tm_hour = 12; /* clear of the hours that clocks skip */
	thursday.tm_isdst = -1;
	mktime(&thursday);
	return (int64_t)thursday.tm_year * 54 + thursday.tm_yday / 7;
}

/* A number for the day, week or month; the same for all within it. */
static int64_t period_of(enum thin_rule rule, const struct thin_item *item)
{
	time_t seconds = (time_t)(item->taken_ms / 1000);
	struct tm local = { 0 };

	localtime_r(&seconds, &local);
	switch (rule) {
	case THIN_DAILY:
		return (int64_t)local.tm_year * 366 + local.tm_yday;
	case THIN_WEEKLY:
		return week_number(&local);
	case THIN_MONTHLY:
	default:
		return (int64_t)local.tm_year * 12 + local.tm_mon;
	}
}

/* Apply one rule to the series that ends with ${items}[${count} - 1]. */
static void apply(
    struct thin_item *items, size_t count, enum thin_rule rule, uint32_t keep)
{
	size_t series = items[count - 1].series;
	int64_t before = 0;
	uint32_t kept = 0;

	for (size_t i = count; i > 0 && kept < keep; i--) {
		struct thin_item *item = &items[i - 1];
		if (item->series != series)
			continue;
		int64_t period = rule == THIN_LAST ? 0 : period_of(rule, item);
		if (rule != THIN_LAST && kept > 0 && period == before)
			continue;
		item->kept |= 1u << rule;
		before = period;
		kept++;
	}
}

void thin_select(struct thin_item *items, size_t count,
    const uint32_t keep[static THIN_RULE_COUNT])
{
	tzset(); /* localtime_r need not */
	for (size_t i = 0; i < count; i++)
		items[i].kept = 0;
	for (size_t last = count; last > 0; last--) {
		bool newest = true;
		for (size_t i = last; i < count && newest; i++)
			newest = items[i].series != items[last - 1].series;
		for (int rule = 0; newest && rule < THIN_RULE_COUNT; rule++)
			apply(items, last, (enum thin_rule)rule, keep[rule]);
	}
}
