#include "category.h"

#include "fuzz.h"

/*
 * A file of a phone: its path, which ends with a zero byte, and its head.
 *
 * Must hold: every file has a category, and the name decides it where the
 * name says enough.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *path = text_of(slice_of(data, len));
	struct slice head = slice_of(data, len);
	enum category by_name, category;

	take(&head, strlen(path) + 1);
	uint8_t *copy = copy_of(head);
	category = category_of(NULL, 0, path, slice_of(copy, head.len));
	must(category >= CATEGORY_CONTACTS && category < CATEGORY_COUNT);
	if (category_by_name(&by_name, NULL, 0, path) == STATUS_OK)
		must(by_name == category);
	free(copy);
	free(path);
	return 0;
}
