#include "notice.h"

#include "base/text.h"
#include "bus/unpack.h"

static const char *check_figure(const Notify__Figure *figure)
{
	struct slice name = slice_text(figure->name);

	if (name.len == 0)
		return "notice.figures: one has no name";
	if (name.len > NOTICE_FIGURE_NAME_BYTES_MAX)
		return "notice.figures: a name of more than 32 bytes";
	if (!text_is_clean(name))
		return "notice.figures: a name that is not clean UTF-8";
	return NULL;
}

static const char *check(const Notify__Notice *notice)
{
	if (notice->notice_id.len != ID_BYTES)
		return "notice.notice_id: not 16 bytes";
	/* A kind that is newer than this code is passed on. */
	if (notice->kind == NOTIFY__KIND__NO_KIND)
		return "notice.kind: none";
	if (notice->when_ms == 0)
		return "notice.when_ms: no time";
	if (notice->terminal_id.len != 0 && notice->terminal_id.len != ID_BYTES)
		return "notice.terminal_id: neither empty nor 16 bytes";
	if (notice->n_figures > NOTICE_FIGURES_MAX)
		return "notice.figures: more than 16";
	if (!text_is_clean(slice_text(notice->text)))
		return "notice.text: not clean UTF-8";
	for (size_t i = 0; i < notice->n_figures; i++) {
		const char *why = check_figure(notice->figures[i]);
		if (why)
			return why;
	}
	if (protobuf_c_message_get_packed_size(&notice->base) >
	    NOTICE_BYTES_MAX)
		return "notice: more than 1024 bytes";
	return NULL;
}

enum status notice_check(
    const Notify__Notice *notice, struct id *id_out, const char **why_out)
{
	const char *why = check(notice);

	if (why) {
		*why_out = why;
		return STATUS_MALFORMED;
	}
	return id_from(id_out, field_slice(notice->notice_id));
}
