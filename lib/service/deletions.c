#include "service/deletions.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
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

/* A last line that was cut short goes, or the next would be one with it. */
static enum status cut_torn_line(int fd, const char *path)
{
	char tail[LINE_BYTES];
	off_t end = lseek(fd, 0, SEEK_END);
	size_t len = min_of((size_t)max_of(end, (off_t)0), sizeof(tail));

	if (end < 0 || pread(fd, tail, len, end - (off_t)len) != (ssize_t)len)
		return fault(path, "read");
	const char *newline = memrchr(tail, '\n', len);
	size_t torn = newline ? (size_t)(tail + len - newline) - 1 : len;
	if (torn > 0 && ftruncate(fd, end - (off_t)torn) != 0)
		return fault(path, "cut");
	return STATUS_OK;
}

/* Held while a list is appended to, and from the last look at the journal
 * until a new one has its place: what comes in between is in either. */
static pthread_mutex_t exchanging = PTHREAD_MUTEX_INITIALIZER;

enum status deletions_note(const char *path, const struct order *order)
{
	char line[LINE_BYTES];
	size_t len = line_of(line, order);

	pthread_mutex_lock(&exchanging);
	int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	bool none = fd < 0 && errno == ENOENT;
	enum status st = STATUS_OK;
	if (fd < 0 && !none)
		st = fault(path, "open");
	if (fd >= 0)
		st = cut_torn_line(fd, path);
	if (st == STATUS_OK && !none &&
	    (!file_write(fd, slice_of(line, len)) || fdatasync(fd) != 0))
		st = fault(path, "write");
	if (fd >= 0)
		close(fd);
	pthread_mutex_unlock(&exchanging);
	return st;
}

typedef enum status line_fn(void *arg, const struct order *order);

static enum status each_line(const char *path, line_fn *each, void *arg)
{
	char line[LINE_BYTES + 1], quoted[LOG_QUOTED_BYTES];
	enum status st = STATUS_OK;
	size_t number = 0;
	struct order order;
	FILE *file = fopen(path, "re");

	if (!file)
		return errno == ENOENT ? STATUS_OK : fault(path, "open");
	while (st == STATUS_OK && fgets(line, sizeof(line), file)) {
		char *newline = strchr(line, '\n');
		if (!newline && feof(file))
			break; /* cut short */
		number++;
		if (newline)
			*newline = '\0';
		st = newline ? deletion_read(&order, line) : STATUS_MALFORMED;
		if (st != STATUS_OK)
			log_error(NULL, "deletions_damaged", "path=%s line=%zu",
			    log_quoted(quoted, path), number);
		else
			st = each(arg, &order);
	}
	if (st == STATUS_OK && ferror(file))
		st = fault(path, "read");
	fclose(file);
	return st;
}

/* ---- written anew ---- */

struct listing_anew {
	struct db *journal;
	uint64_t after; /* the last order that was looked at */
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

/* Those of the journal behind what was added before. */
static enum status add_known(struct listing_anew *self)
{
	struct order page[ORDERS_STORED_MAX];
	enum status st = STATUS_OK;
	size_t count;
	bool more = true;

	while (st == STATUS_OK && more) {
		st = orders_stored(
		    self->journal, self->after, page, &count, &more);
		for (size_t i = 0; i < count && st == STATUS_OK; i++) {
			self->after = page[i].sequence;
			if (page[i].kind == ORDER_DELETE_ACCOUNT)
				st = add_line(&self->text, &page[i]);
		}
	}
	return st;
}

enum status deletions_write(const char *path, struct db *journal)
{
	struct listing_anew self = { .journal = journal };

	enum status st = each_line(path, add_unknown, &self);
	if (st == STATUS_OK)
		st = add_known(&self);
	pthread_mutex_lock(&exchanging);
	if (st == STATUS_OK)
		st = add_known(&self);
	if (st == STATUS_OK)
		st = file_replace(path, bytes_slice(&self.text), 0600);
	pthread_mutex_unlock(&exchanging);
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
