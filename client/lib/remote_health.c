#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "remote_internal.h"
#include "store.pb-c.h"

/* What the store knows of its own health, and what drills tell it. */

bool remote_any_damage(const struct remote *self)
{
	return self->damaged;
}

/* Append the ordinals of ${reply} to the list, which grows. */
static enum status append_ordinals(
    uint64_t **list_p, size_t *count, const Store__DamageList *reply)
{
	size_t total = *count + reply->n_ordinals;
	uint64_t *list =
	    realloc(*list_p, max_of(total, (size_t)1) * sizeof(*list));

	if (!list)
		return STATUS_NO_SPACE;
	*list_p = list;
	for (size_t i = 0; i < reply->n_ordinals; i++) {
		uint64_t before = *count > 0 ? list[*count - 1] : 0;
		if (reply->ordinals[i] <= before)
			return STATUS_MALFORMED;
		list[(*count)++] = reply->ordinals[i];
	}
	/* A list that promises more and brings none would never end. */
	return reply->more && reply->n_ordinals == 0 ? STATUS_MALFORMED
						     : STATUS_OK;
}

enum status remote_damage(struct remote *self, uint32_t *chunks_out,
    uint64_t **ordinals_out, size_t *count_out)
{
	uint64_t *list = NULL;
	size_t count = 0;
	enum status st = STATUS_OK;
	bool more = true;

	while (st == STATUS_OK && more) {
		Store__DamageQuery message = STORE__DAMAGE_QUERY__INIT;
		Store__DamageList *reply;
		struct unpack unpack;

		unpack_begin(&unpack);
		message.after = count > 0 ? list[count - 1] : 0;
		st = remote_ask(self, STORE__TYPE__DAMAGE, &message.base,
		    &unpack, &store__damage_list__descriptor, &reply);
		if (st == STATUS_OK) {
			st = append_ordinals(&list, &count, reply);
			more = reply->more;
			*chunks_out = reply->chunks;
			if (st != STATUS_OK)
				remote_fail_here(
				    self, st, "a list of damage amiss");
		}
		unpack_end(&unpack);
	}
	if (st != STATUS_OK) {
		free(list);
		return st;
	}
	*ordinals_out = list;
	*count_out = count;
	return STATUS_OK;
}

enum status remote_drill(
    struct remote *self, uint64_t ordinal, uint64_t files, uint64_t failed)
{
	Store__Drill message = STORE__DRILL__INIT;

	message.ordinal = ordinal;
	message.files = files;
	message.failed = failed;
	return remote_ask(
	    self, STORE__TYPE__DRILL, &message.base, NULL, NULL, NULL);
}
