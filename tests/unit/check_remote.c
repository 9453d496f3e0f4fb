#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "base/util.h"
#include "bus/bus.h"
#include "bus/header.h"
#include "bus/message.h"
#include "bus/unpack.h"
#include "remote.h"
#include "store.pb-c.h"

#define GUARD_MS  20000 /* a test that would wait for good ends here */
#define LARGE     17    /* pages: goes alone */
#define HEARD_MAX 8

static size_t page_bytes(unsigned int pages)
{
	return (size_t)pages * PAGE_BYTES - PAGE_HEAD_BYTES;
}

/* ---- the peer: a door that answers when the test says so ---- */

static struct bus *bus;
static void *door;
static struct curve_keys peer_keys, keys;

/* A message with chunks, and the way back. */
static struct heard {
	uint32_t type;
	struct message message;
	struct id request;
	size_t count;
	struct chunk_id ids[PUT_MANY_MAX];
	uint8_t pages[PUT_MANY_MAX];
} heard[HEARD_MAX];
static size_t heard_count;

static void hear_put(struct heard *self)
{
	Store__Put *put;
	struct unpack unpack;

	unpack_begin(&unpack);
	ck_assert_int_eq(unpack_message(&unpack, &store__put__descriptor,
			     frame_slice(&self->message.body), &put),
	    STATUS_OK);
	ck_assert_uint_eq(put->chunk_id.len, CHUNK_ID_BYTES);
	memcpy(self->ids[0].bytes, put->chunk_id.data, CHUNK_ID_BYTES);
	self->pages[0] =
	    (uint8_t)((zmq_msg_size(&self->message.payload) + PAGE_HEAD_BYTES) /
		      PAGE_BYTES);
	self->count = 1;
	unpack_end(&unpack);
}

static void hear_many(struct heard *self)
{
	Store__PutMany *many;
	struct unpack unpack;

	unpack_begin(&unpack);
	ck_assert_int_eq(unpack_message(&unpack, &store__put_many__descriptor,
			     frame_slice(&self->message.body), &many),
	    STATUS_OK);
	self->count = many->pages.len;
	ck_assert_uint_le(self->count, PUT_MANY_MAX);
	ck_assert_uint_eq(many->chunk_ids.len, self->count * CHUNK_ID_BYTES);
	memcpy(self->ids, many->chunk_ids.data, many->chunk_ids.len);
	memcpy(self->pages, many->pages.data, many->pages.len);
	unpack_end(&unpack);
}

/* Every byte of a chunk is the first of its id: see that they lie so. */
static void check_payload(const struct heard *self)
{
	struct slice payload = frame_slice(&self->message.payload);
	size_t at = 0;

	for (size_t i = 0; i < self->count; i++) {
		for (size_t k = 0; k < page_bytes(self->pages[i]); k++, at++) {
			ck_assert_uint_lt(at, payload.len);
			ck_assert_uint_eq(
			    payload.data[at], self->ids[i].bytes[0]);
		}
	}
	ck_assert_uint_eq(at, payload.len);
}

/* Wait for the next message; ${count} chunks are to be in it. */
static struct heard *hear(uint32_t type, size_t count)
{
	zmq_pollitem_t item = { .socket = door, .events = ZMQ_POLLIN };
	struct heard *self = &heard[heard_count++];
	struct header header;

	ck_assert_uint_le(heard_count, HEARD_MAX);
	message_init(&self->message);
	enum status st;
	while (
	    (st = message_receive(&self->message, door, 1)) == STATUS_NOT_FOUND)
		ck_assert_int_eq(zmq_poll(&item, 1, GUARD_MS), 1);
	ck_assert_int_eq(st, STATUS_OK);
	ck_assert_int_eq(
	    header_unpack(&header, frame_slice(&self->message.header)),
	    STATUS_OK);
	ck_assert_uint_eq(header.type, type);
	self->type = type;
	self->request = header.request;
	if (type == STORE__TYPE__PUT)
		hear_put(self);
	else if (type == STORE__TYPE__PUT_MANY)
		hear_many(self);
	ck_assert_uint_eq(self->count, count);
	if (count > 0)
		check_payload(self);
	return self;
}

/* Answer it; the body may be NULL. */
static void say(struct heard *self, enum status status, const char *detail,
    const ProtobufCMessage *body)
{
	struct header header = {
		.request = self->request,
		.type = TYPE_REPLY,
		.status = status,
	};
	struct bytes packed = { 0 }, packed_body = { 0 };

	header_detail(&header, "%s", detail);
	ck_assert_int_eq(header_pack(&packed, &header), STATUS_OK);
	if (body)
		ck_assert_int_eq(pack_message(&packed_body, body), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&self->message.header, bytes_slice(&packed)), STATUS_OK);
	ck_assert_int_eq(
	    frame_copy(&self->message.body, bytes_slice(&packed_body)),
	    STATUS_OK);
	self->message.has_payload = false;
	ck_assert_int_eq(message_send(&self->message, door), STATUS_OK);
	bytes_clear(&packed);
	bytes_clear(&packed_body);
}

/* ---- the terminal ---- */

static struct remote *remote;

static void setup(void)
{
	struct enrolment enrolment = { .host = "127.0.0.1" };
	const struct allow_list anyone = { .anyone = true };
	const struct id account = { { 1 } };
	char endpoint[64];
	size_t len = sizeof(endpoint);
	unsigned int port = 0;

	heard_count = 0;
	ck_assert_int_eq(curve_keys_make(&keys), STATUS_OK);
	ck_assert_int_eq(curve_keys_make(&peer_keys), STATUS_OK);
	ck_assert_int_eq(bus_new(&peer_keys, &bus), STATUS_OK);
	ck_assert_int_eq(
	    bus_bind(bus, "test", "tcp://127.0.0.1:*", &anyone, &door),
	    STATUS_OK);
	ck_assert_int_eq(
	    zmq_getsockopt(door, ZMQ_LAST_ENDPOINT, endpoint, &len), 0);
	ck_assert_int_eq(sscanf(strrchr(endpoint, ':'), ":%u", &port), 1);
	enrolment.port = (uint16_t)port;
	memcpy(enrolment.gateway_key, peer_keys.public_key,
	    sizeof(enrolment.gateway_key));
	ck_assert_int_eq(remote_new(&remote,
			     &(struct remote_options){ .enrolment = &enrolment,
				 .keys = &keys,
				 .account = &account,
				 .ticket = slice_text("ticket"),
				 .timeout_ms = GUARD_MS }),
	    STATUS_OK);
}

static void teardown(void)
{
	remote_destroy(&remote);
	for (size_t i = 0; i < heard_count; i++)
		message_clear(&heard[i].message);
	bus_close(&door);
	bus_destroy(&bus);
}

static void *begin_run(void *arg)
{
	struct backup_lease lease;

	*(enum status *)arg = remote_backup_begin(remote, &lease);
	return NULL;
}

/* Begin a backup at a store that says so. */
static void begin(uint32_t put_many_max)
{
	static const uint8_t id[ID_BYTES] = { 7 };
	Store__Lease lease = STORE__LEASE__INIT;
	enum status st = STATUS_PENDING;
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, begin_run, &st), 0);
	lease.lease_id = field_of(slice_of(id, sizeof(id)));
	lease.put_many_max = put_many_max;
	say(hear(STORE__TYPE__BACKUP_BEGIN, 0), STATUS_OK, "", &lease.base);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(st, STATUS_OK);
}

/* ${number} is the id's first byte, and each of the chunk's. */
static void put(uint8_t number, unsigned int pages)
{
	struct chunk_out *chunk = calloc(1, sizeof(*chunk));

	ck_assert_ptr_nonnull(chunk);
	chunk->id.bytes[0] = number;
	chunk->sealed_len = page_bytes(pages);
	chunk->sealed = malloc(chunk->sealed_len);
	ck_assert_ptr_nonnull(chunk->sealed);
	memset(chunk->sealed, number, chunk->sealed_len);
	ck_assert_int_eq(remote_put(remote, &chunk), STATUS_OK);
}

static void put_node(uint8_t number, uint8_t refers_to)
{
	struct chunk_out *chunk = calloc(1, sizeof(*chunk));

	ck_assert_ptr_nonnull(chunk);
	chunk->kind = CHUNK_NODE;
	chunk->id.bytes[0] = number;
	chunk->sealed_len = page_bytes(1);
	chunk->sealed = malloc(chunk->sealed_len);
	chunk->refs = calloc(1, sizeof(*chunk->refs));
	ck_assert(chunk->sealed && chunk->refs);
	memset(chunk->sealed, number, chunk->sealed_len);
	chunk->refs[0].bytes[0] = refers_to;
	chunk->refs_count = 1;
	ck_assert_int_eq(remote_put(remote, &chunk), STATUS_OK);
}

static void put_some(uint8_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		put((uint8_t)(first + i), 1);
}

/* ---- what goes together ---- */

START_TEST(an_older_store)
{
	begin(0);
	put_some(1, 5);
	for (uint8_t i = 0; i < 5; i++) {
		const struct heard *one = hear(STORE__TYPE__PUT, 1);
		ck_assert_uint_eq(one->ids[0].bytes[0], i + 1);
	}
	for (size_t i = 1; i < heard_count; i++)
		say(&heard[i], STATUS_OK, "", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_OK);
}
END_TEST

START_TEST(small_ones_go_with_the_answer)
{
	begin(PUT_MANY_MAX);
	put(1, 2);
	struct heard *first = hear(STORE__TYPE__PUT, 1);
	put(2, 1);
	put(3, 16);
	put(4, 3);
	put(5, LARGE); /* at once: so the three before it are held */
	struct heard *large = hear(STORE__TYPE__PUT, 1);
	ck_assert_uint_eq(large->pages[0], LARGE);
	say(first, STATUS_OK, "", NULL);
	struct heard *many = hear(STORE__TYPE__PUT_MANY, 3);
	for (uint8_t i = 0; i < 3; i++)
		ck_assert_uint_eq(many->ids[i].bytes[0], i + 2);
	say(large, STATUS_OK, "", NULL);
	say(many, STATUS_OK, "", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_OK);
	ck_assert_uint_eq(remote_traffic(remote).chunks_sent, 5);
	ck_assert_uint_eq(remote_traffic(remote).bytes_sent,
	    page_bytes(1) + page_bytes(2) + page_bytes(3) + page_bytes(16) +
		page_bytes(LARGE));
}
END_TEST

START_TEST(a_full_message_leaves_at_once)
{
	begin((uint32_t)_i);
	size_t max = min_of((size_t)_i, (size_t)PUT_MANY_MAX);
	put(1, 1);
	struct heard *first = hear(STORE__TYPE__PUT, 1);
	put_some(2, max + 2);
	struct heard *full = hear(STORE__TYPE__PUT_MANY, max);
	put(200, LARGE); /* so two are held */
	struct heard *large = hear(STORE__TYPE__PUT, 1);
	say(full, STATUS_OK, "", NULL);
	struct heard *last = hear(STORE__TYPE__PUT_MANY, 2);
	say(first, STATUS_OK, "", NULL);
	say(large, STATUS_OK, "", NULL);
	say(last, STATUS_OK, "", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_OK);
	ck_assert_uint_eq(remote_traffic(remote).chunks_sent, max + 4);
}
END_TEST

START_TEST(what_does_not_fit_goes_in_the_next)
{
	begin(PUT_MANY_MAX);
	put(1, 1);
	struct heard *first = hear(STORE__TYPE__PUT, 1);
	for (uint8_t i = 2; i < 7; i++)
		put(i, 15);
	struct heard *full = hear(STORE__TYPE__PUT_MANY, 4); /* 60 pages */
	say(full, STATUS_OK, "", NULL);
	struct heard *last = hear(STORE__TYPE__PUT, 1);
	say(first, STATUS_OK, "", NULL);
	say(last, STATUS_OK, "", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_OK);
}
END_TEST

START_TEST(a_node_sends_what_it_waits_for)
{
	begin(PUT_MANY_MAX);
	put(1, 1);
	struct heard *first = hear(STORE__TYPE__PUT, 1);
	put_some(2, 3);
	put_node(9, 3);
	struct heard *many = hear(STORE__TYPE__PUT_MANY, 3);
	say(many, STATUS_OK, "", NULL);
	struct heard *node = hear(STORE__TYPE__PUT, 1);
	ck_assert_uint_eq(node->ids[0].bytes[0], 9);
	say(node, STATUS_OK, "", NULL);
	say(first, STATUS_OK, "", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_OK);
}
END_TEST

/* ---- failures ---- */

START_TEST(held_ones_end_with_a_failure)
{
	begin(PUT_MANY_MAX);
	put(1, 1);
	struct heard *first = hear(STORE__TYPE__PUT, 1);
	put_some(2, 3);
	put_node(9, 1);
	say(first, STATUS_QUOTA, "used up", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_QUOTA);
	ck_assert_str_eq(remote_detail(remote), "used up");
}
END_TEST

START_TEST(a_refused_message_ends_the_attempt_only)
{
	begin(PUT_MANY_MAX);
	put(1, 1);
	struct heard *first = hear(STORE__TYPE__PUT, 1);
	put_some(2, PUT_MANY_MAX);
	put_some(100, 2);
	struct heard *many = hear(STORE__TYPE__PUT_MANY, PUT_MANY_MAX);
	say(many, STATUS_CONFLICT, "chunk 2: another terminal put it", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_CONFLICT);
	ck_assert_str_eq(
	    remote_detail(remote), "chunk 2: another terminal put it");
	say(first, STATUS_OK, "", NULL);
	begin(PUT_MANY_MAX);
	put(1, 1);
	say(hear(STORE__TYPE__PUT, 1), STATUS_OK, "", NULL);
	ck_assert_int_eq(remote_flush(remote), STATUS_OK);
	ck_assert_uint_eq(remote_traffic(remote).chunks_sent, 2);
}
END_TEST

START_TEST(dropped_with_some_under_way)
{
	begin(PUT_MANY_MAX);
	put(1, 1);
	hear(STORE__TYPE__PUT, 1);
	put_some(2, PUT_MANY_MAX + 1);
	hear(STORE__TYPE__PUT_MANY, PUT_MANY_MAX);
	put_node(200, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("remote");
	TCase *together = tcase_create("P-03 small chunks go together");
	TCase *failed = tcase_create("B-08 chunks that go together fail so");

	tcase_add_checked_fixture(together, setup, teardown);
	tcase_add_test(together, an_older_store);
	tcase_add_test(together, small_ones_go_with_the_answer);
	tcase_add_loop_test(together, a_full_message_leaves_at_once, 3, 5);
	tcase_add_loop_test(together, a_full_message_leaves_at_once,
	    PUT_MANY_MAX, PUT_MANY_MAX + 2);
	tcase_add_test(together, what_does_not_fit_goes_in_the_next);
	tcase_add_test(together, a_node_sends_what_it_waits_for);
	suite_add_tcase(suite, together);
	tcase_add_checked_fixture(failed, setup, teardown);
	tcase_add_test(failed, held_ones_end_with_a_failure);
	tcase_add_test(failed, a_refused_message_ends_the_attempt_only);
	tcase_add_test(failed, dropped_with_some_under_way);
	suite_add_tcase(suite, failed);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	int failures = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
