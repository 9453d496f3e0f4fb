#include "service/event.h"

#include "fuzz.h"

static void must_be_word(const char *word, size_t max)
{
	size_t len = strlen(word);

	must(len <= max);
	for (size_t i = 0; i < len; i++)
		must(word[i] > ' ' && word[i] < 0x7f);
}

/*
 * What keepsakectl events takes from a process.
 *
 * Must hold: what is accepted is words that can be printed, its topic has
 * room, and it is the same when it is written and read again.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct event first, second;
	struct event_place place = { 0 };
	struct bytes packed = { 0 };
	char topic[EVENT_TOPIC_BYTES];

	if (event_unpack(&first, slice_of(data, len)) != STATUS_OK)
		return 0;
	must_be_word(first.service, EVENT_WORD_BYTES_MAX);
	must_be_word(first.kind, EVENT_WORD_BYTES_MAX);
	must_be_word(first.subject, EVENT_WORD_BYTES_MAX);
	must(first.figures_count <= EVENT_FIGURES_MAX);
	for (size_t i = 0; i < first.figures_count; i++)
		must_be_word(first.figures[i].name, EVENT_FIGURE_BYTES_MAX);
	must(strlen(event_topic(topic, &first)) < sizeof(topic));
	must(event_pack(&first, &packed) == STATUS_OK);
	must(event_unpack(&second, bytes_slice(&packed)) == STATUS_OK);
	must(memcmp(&first, &second, sizeof(first)) == 0);
	must(event_follow(&place, &first) == 0);
	bytes_clear(&packed);
	return 0;
}
