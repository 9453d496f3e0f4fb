#include "service/repeat.h"

#include "base/clock.h"
#include "base/log.h"

#define MOVED_RETRY_MS 500

/* Whether both came by the same connection: the envelope's first frame. */
static bool same_sender(const struct exchange *x, const struct exchange *other)
{
	return x->door == other->door &&
	       slice_equal(frame_slice(&x->message.envelope[0]),
		   frame_slice(&other->message.envelope[0]));
}

static void send_away(struct exchange *under_way)
{
	struct header header = {
		.request = under_way->header.request,
		.trace = under_way->header.trace,
		.type = TYPE_REPLY,
		.status = STATUS_UNAVAILABLE,
		.retry_after_ms = MOVED_RETRY_MS,
		.server_time_ms = clock_wall_ms(),
	};
	struct bytes packed = { 0 };
	struct message message;

	header_detail(&header, "asked again by another gateway");
	message_init(&message);
	message.envelope_count = ENVELOPE_FRAMES_MAX;
	for (size_t i = 0; i < ENVELOPE_FRAMES_MAX; i++)
		zmq_msg_move(
		    &message.envelope[i], &under_way->message.envelope[i]);
	enum status st = header_pack(&packed, &header);
	if (st == STATUS_OK)
		st = frame_copy(&message.header, bytes_slice(&packed));
	if (st == STATUS_OK)
		st = server_push(under_way->server, under_way->door, &message);
	/* One that has ended does not wait either. */
	if (st != STATUS_OK && st != STATUS_UNAVAILABLE)
		log_debug(&header.trace, "answer_dropped", "status=%s",
		    status_word(st));
	message_clear(&message);
	bytes_clear(&packed);
}

void repeat_take_over(struct exchange *x, struct exchange *under_way)
{
	if (!same_sender(x, under_way))
		send_away(under_way);
	for (size_t i = 0; i < ENVELOPE_FRAMES_MAX; i++)
		zmq_msg_move(
		    &under_way->message.envelope[i], &x->message.envelope[i]);
	under_way->door = x->door;
}
