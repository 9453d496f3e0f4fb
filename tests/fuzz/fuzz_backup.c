#include "service/backup_manifest.h"

#include <sodium.h>

#include "fuzz.h"
#include "service/deletions.h"

/*
 * The manifest of a backup; and, from the second byte on where the first is 0,
 * a line of the list of deletions.
 *
 * Must hold: what is taken says what it is of, names each file once, and is
 * the same when it is written and read again.
 */
static void check_manifest(struct slice text)
{
	struct backup_manifest manifest, again;
	struct bytes written = { 0 };
	const char *why = NULL;

	if (backup_manifest_read(&manifest, text, &why) != STATUS_OK) {
		must(why);
		return;
	}
	must(manifest.service[0] != '\0' && manifest.database.format > 0);
	must(backup_manifest_file(&manifest, BACKUP_DATABASE));
	must(manifest.files_count <= BACKUP_FILES_MAX);
	must(backup_manifest_write(&written, &manifest) == STATUS_OK);
	must(backup_manifest_read(&again, bytes_slice(&written), &why) ==
	     STATUS_OK);
	must(strcmp(again.service, manifest.service) == 0);
	must(id_equal(&again.set, &manifest.set));
	must(id_equal(&again.ledger, &manifest.ledger));
	must(again.database.point_ms == manifest.database.point_ms);
	must(again.files_count == manifest.files_count);
	for (size_t i = 0; i < again.files_count; i++)
		must(again.files[i].name == manifest.files[i].name &&
		     again.files[i].bytes == manifest.files[i].bytes);
	bytes_clear(&written);
}

/* The hash at its end is made right, or nothing behind it is ever read. */
static void check_with_hash(struct slice text)
{
	struct bytes whole = { 0 };
	uint8_t sum[BACKUP_HASH_BYTES];
	char digits[2 * BACKUP_HASH_BYTES + 1];

	crypto_generichash(sum, sizeof(sum), text.data, text.len, NULL, 0);
	sodium_bin2hex(digits, sizeof(digits), sum, sizeof(sum));
	must(bytes_append(&whole, text) == STATUS_OK);
	must(bytes_append(&whole, slice_text("end ")) == STATUS_OK);
	must(bytes_append(&whole, slice_text(digits)) == STATUS_OK);
	must(bytes_append(&whole, slice_text("\n")) == STATUS_OK);
	check_manifest(bytes_slice(&whole));
	bytes_clear(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct order order;

	if (len > 0 && data[0] == 0) {
		char *line = text_of(slice_of(data + 1, len - 1));
		if (deletion_read(&order, line) == STATUS_OK) {
			must(order.kind == ORDER_DELETE_ACCOUNT);
			must(order.sequence > 0 && !id_is_none(&order.account));
		}
		free(line);
		return 0;
	}
	check_manifest(slice_of(data, len));
	check_with_hash(slice_of(data, len));
	return 0;
}
