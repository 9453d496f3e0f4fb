#include "service/deletions.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/util.h"
#include "service/orders.h"

#define LINE_BYTES  80 /* 20 + 1 + 32 + 1 + 20 + 1 at most */
#define ACCOUNT_HEX (2 * ID_BYTES)

static enum status fault(const char *path, const char *step)
{
	char quoted[LOG_QUOTED_BYTES];
	enum status st = errno == ENOSPC || errno == EDQUOT
			     ? STATUS_NO_SPACE
			     : STATUS_UNAVAILABLE;

	log_error(NULL, "deletions_not_listed", "step=%s path=%s error=\"%s\"",
	    step, log_quoted(quoted, path), strerror(errno));
	return st;
}

static size_t line_of(char out[static LINE_BYTES], const struct order *order)
{
	char account[ACCOUNT_HEX + 1];

	sodium_bin2hex(
	    account, sizeof(account), order->account.bytes, ID_BYTES);
	return (size_t)snprintf(out, LINE_BYTES, "%" PRIu64 " %s %" PRIu64 "\n",
	    order->sequence, account, order->when_ms);
}

static bool number(uint64_t *out, const char *text, const char *end)
{
	char *stop = NULL;

	errno = 0;
	*out = strtoull(text, &stop, 10);
	return *text >= '0' && *text <= '9' && errno == 0 && stop == end;
}

enum status deletion_read(struct order *out, const char *line)
{
	size_t len = strlen(line), got = 0;
	const char *account = strchr(line, ' ');
	const char *when = account ? strchr(account + 1, ' ') : NULL;

	*out = (struct order){ .kind = ORDER_DELETE_ACCOUNT };
	if (!when || when - account != 1 + ACCOUNT_HEX ||
	    !number(&out->sequence, line, account) || out->sequence == 0 ||
	    !number(&out->when_ms, when + 1, line + len) ||
	    sodium_hex2bin(out->account.bytes, ID_BYTES, account + 1,
		ACCOUNT_HEX, NULL, &got, NULL) != 0 ||
	    got != ID_BYTES || id_is_none(&out->account))
		return STATUS_MALFORMED;
	return STATUS_OK;
}

enum status deletions_note(const char *path, const struct order *order)
{
	char line[LINE_BYTES];
	size_t len = line_of(line, order);
	enum status st = STATUS_OK;
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		return fault(path, "open");
	if (write(fd, line, len) != (ssize_t)len || fdatasync(fd) != 0)
		st = fault(path, "write");
	close(fd);
	return st;
}

typedef enum status line_fn(void *arg, const struct order *order);

static enum status each_line(const char *path, line_fn *each, void *arg)
{
	char quoted[LOG_QUOTED_BYTES];
	struct bytes text = { 0 };
	struct order order;

	enum status st = file_read(&text, path, DELETIONS_BYTES_MAX);
	if (st == STATUS_NOT_FOUND)
		return STATUS_OK;
	char *at = (char *)text.data, *end = at + text.len, *newline;
	while (st == STATUS_OK && at < end &&
	       (newline = memchr(at, '\n', (size_t)(end - at)))) {
		*newline = '\0';
		st = deletion_read(&order, at);
		if (st != STATUS_OK)
			log_error(NULL, "deletions_damaged", "path=%s at=%zu",
			    log_quoted(quoted, path),
			    (size_t)(at - (char *)text.data));
		else
			st = each(arg, &order);
		at = newline + 1;
	}
	bytes_clear(&text);
	return st;
}

/* ---- written anew ---- */

struct listing_anew {
	struct db *journal;
	struct bytes text;
};

static enum status add_line(void *arg, const struct order *order)
{
	struct bytes *text = arg;
	char line[LINE_BYTES];
	size_t len = line_of(line, order);

	return bytes_append(text, slice_of(line, len));
}

/* What is in the list and not in the journal stays listed. */
static enum status add_unknown(void *arg, const struct order *order)
{
	struct listing_anew *self = arg;
	struct order found[ORDERS_STORED_MAX];
	size_t count;
	bool more;

	enum status st = orders_stored(
	    self->journal, order->sequence - 1, found, &count, &more);
	if (st == STATUS_OK && count > 0 &&
	    found[0].sequence == order->sequence)
		return STATUS_OK;
	return st == STATUS_OK ? add_line(&self->text, order) : st;
}

enum status deletions_write(const char *path, struct db *journal)
{
	struct listing_anew self = { .journal = journal };
	struct order page[ORDERS_STORED_MAX];
	uint64_t after = 0;
	size_t count;
	bool more = true;

	enum status st = each_line(path, add_unknown, &self);
	while (st == STATUS_OK && more) {
		st = orders_stored(journal, after, page, &count, &more);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			after = page[i].sequence;
			if (page[i].kind == ORDER_DELETE_ACCOUNT)
				st = add_line(&self.text, &page[i]);
		}
	}
	if (st == STATUS_OK)
		st = file_replace(path, bytes_slice(&self.text), 0600);
	bytes_clear(&self.text);
	return st;
}

/* ---- replayed ---- */

struct replay {
	struct db *journal;
	uint64_t count;
};

static enum status replay_line(void *arg, const struct order *order)
{
	struct replay *self = arg;

	self->count++;
	return orders_restore(self->journal, order);
}

enum status deletions_replay(
    const char *path, struct db *journal, uint64_t *count_out)
{
	struct replay self = { .journal = journal };

	enum status st = each_line(path, replay_line, &self);
	*count_out = self.count;
	return st;
}
