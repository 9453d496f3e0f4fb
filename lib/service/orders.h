#ifndef KEEPSAKE_SERVICE_ORDERS_H
#define KEEPSAKE_SERVICE_ORDERS_H

#include "bus/loop.h"
#include "db/db.h"
#include "service/order.h"

/*
 * What auth decides and every service must obey: tickets that are revoked
 * accounts that are deleted.  auth numbers its orders and
 * sends them, with a sign of life every ORDERS_BEAT_MS, until a service
 * answers with the number it has; a service keeps them in its journal, which
 * no backup takes, and so knows them after a restart and after the restore
 * of an older database.  auth keeps and obeys its own in the same way.
 */

#define ORDERS_BEAT_MS       1000
#define ORDERS_SILENCE_MS    10000 /* then auth counts as out of touch */
#define ORDERS_FIRST_MS      3000  /* at the start: to hear auth first */
#define ORDERS_A_MESSAGE_MAX 100

/* Revocations that are kept at a time; a deletion is always taken. */
#define ORDERS_OF_ACCOUNT_MAX  512
#define ORDERS_REVOCATIONS_MAX 200000

struct orders;
struct exchange;

struct orders_options {
	struct db *journal;
	struct loop *loop;
	bool issuer; /* this is auth: always in touch with itself */
	/*
	 * An account is to be deleted: shred its key, which must be done when
	 * this returns OK, and begin to erase it.  Called when such an order
	 * comes, and again for each that is known after orders_begin: a
	 * restored database may have the account again.
	 */
	enum status (*delete_account)(void *arg, const struct id *account);
	/* An order to delete is in the journal, for the first time; or NULL. */
	void (*deletion_kept)(void *arg, const struct order *order);
	void *arg;
};

/**
 * Read what the journal has.
 *
 * STATUS_OK         ${out} is the caller's
 * STATUS_MALFORMED  a row is damaged; logged
 * STATUS_VERSION    a row is newer than this code; logged
 * other             as db_scan; logged
 */
enum status orders_new(
    struct orders **out, const struct orders_options *options);
void orders_destroy(struct orders **self_p);

/** The service is ready: go through the deletions that are known. */
void orders_begin(struct orders *self);

/**
 * Why ${ticket}, which auth has signed, is good no more: that it was
 * revoked, or its account deleted, in words for people; NULL: it is good.
 */
const char *orders_refusal(
    const struct orders *self, const struct ticket *ticket);

/** Whether ${account} was deleted, so that nothing may be kept for it. */
bool orders_deleted(const struct orders *self, const struct id *account);

/**
 * Whether auth was heard of lately, and all that it had ordered is here.
 * Who is out of touch cannot know what was revoked, and honours no ticket
 * past its expiry.
 */
bool orders_in_touch(const struct orders *self);

/**
 * Whether auth was heard of since the start, or does not seem to be there:
 * what it revoked while this service was down is known before a ticket is
 * taken.
 */
bool orders_settled(const struct orders *self);

/** The highest number kept; what auth is answered with. */
uint64_t orders_sequence(const struct orders *self);

/** Orders in force: revocations, and accounts deleted. */
size_t orders_revocations(const struct orders *self);
size_t orders_deletions(const struct orders *self);

/** The handler of ORDERS, from auth; ${state} is not used. */
enum status orders_on_orders(void *state, struct exchange *exchange);

/* ---- for auth, which issues them ---- */

/**
 * Told what came of an order.
 *
 * sequence  its number: it is on the disk, and holds, also where ${status} is
 *           not OK because auth itself could not obey it yet; 0: it is not
 */
typedef void orders_issued_fn(void *arg, enum status status, uint64_t sequence);

/**
 * Number and keep an order; kind, account and subject are the caller's.  A
 * deletion is begun before ${done} is told OK.
 *
 * STATUS_PENDING    ${done} will be called, with the result of db_submit's
 *                   completion or of delete_account
 * STATUS_TOO_LARGE  the account has ORDERS_OF_ACCOUNT_MAX revocations
 * other             as db_submit; BUSY also past ORDERS_REVOCATIONS_MAX
 */
enum status orders_issue(struct orders *self, const struct order *order,
    orders_issued_fn *done, void *arg);

/** From now on number above ${sequence}, which a service has. */
void orders_number_above(struct orders *self, uint64_t sequence);

/**
 * Read orders above ${sequence}, the lowest first.
 *
 * count_out  how many
 *
 * Errors as orders_new.
 */
enum status orders_above(const struct orders *self, uint64_t sequence,
    struct order out[static ORDERS_A_MESSAGE_MAX], size_t *count_out);

/* ---- a journal that is not served: any thread ---- */

#define ORDERS_STORED_MAX 256

/**
 * Read orders above ${after} as the journal has them, the lowest first.
 *
 * out       room for ORDERS_STORED_MAX
 * more_out  there are others
 *
 * Errors as orders_new.
 */
enum status orders_stored(struct db *journal, uint64_t after, struct order *out,
    size_t *count_out, bool *more_out);

/**
 * Add an order that the journal may lack; one of its number stays as it is.
 * Before orders_new only.  Results as db_submit_wait.
 */
enum status orders_restore(struct db *journal, const struct order *order);

#endif
