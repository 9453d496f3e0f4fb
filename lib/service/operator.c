#include "service/operator.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

const char *const operator_document_kinds[OPERATOR_DOCUMENT_KINDS] = {
	"passport",
	"identity-card",
	"driving-licence",
	"residence-permit",
	"other",
};

static bool is_kind(const char *text, size_t len)
{
	for (size_t i = 0; i < nitems(operator_document_kinds); i++)
		if (strlen(operator_document_kinds[i]) == len &&
		    strncmp(operator_document_kinds[i], text, len) == 0)
			return true;
	return false;
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z');
}

enum status operator_check_document(const char *document, const char **why_out)
{
	const char *colon = strchr(document, ':');

	if (!colon || !is_kind(document, (size_t)(colon - document))) {
		*why_out = "document: expected KIND:LAST4 with a KIND of "
			   "passport, identity-card, driving-licence, "
			   "residence-permit or other";
		return STATUS_MALFORMED;
	}
	const char *last = colon + 1;
	size_t count = 0;
	while (is_letter_or_digit(last[count]))
		count++;
	if (count == OPERATOR_DOCUMENT_LAST && last[count] == '\0')
		return STATUS_OK;
	*why_out = "document: expected exactly the last four letters and "
		   "digits of its number, and no more of it";
	return STATUS_MALFORMED;
}

/* Whether ${text} may be kept: something, not too long, no control bytes. */
static bool is_good(const char *text, size_t len_max)
{
	size_t len = strlen(text);

	return len > 0 && len <= len_max && text_is_clean(slice_text(text)) &&
	       strspn(text, " ") < len;
}

enum status operator_check(
    const Ops__By *by, unsigned int needs, const char **why_out)
{
	if (!by || !is_good(by->name, OPERATOR_NAME_BYTES_MAX)) {
		*why_out = "operator: expected a name of 1 to 64 bytes of text";
		return STATUS_MALFORMED;
	}
	if (by->reason[0] == '\0' && needs & OPERATOR_NEEDS_REASON) {
		*why_out = "reason: this is done for a reason only, which is "
			   "recorded";
		return STATUS_MALFORMED;
	}
	if (by->reason[0] != '\0' &&
	    !is_good(by->reason, OPERATOR_REASON_BYTES_MAX)) {
		*why_out = "reason: expected 1 to 200 bytes of text";
		return STATUS_MALFORMED;
	}
	if (by->document[0] == '\0' && needs & OPERATOR_NEEDS_DOCUMENT) {
		*why_out = "document: this is done only for who has shown an "
			   "identity document, which is recorded";
		return STATUS_MALFORMED;
	}
	if (by->document[0] != '\0')
		return operator_check_document(by->document, why_out);
	return STATUS_OK;
}

void operator_actor(char out[static OPERATOR_ACTOR_BYTES], const Ops__By *by)
{
	snprintf(out, OPERATOR_ACTOR_BYTES, "operator %s", by->name);
}

void operator_detail(
    char out[static OPERATOR_DETAIL_BYTES], const char *what, const Ops__By *by)
{
	bool document = by->document[0] != '\0', reason = by->reason[0] != '\0';

	snprintf(out, OPERATOR_DETAIL_BYTES, "%s%s%s%s%s%s%s", what,
	    *what && document ? "; " : "", document ? "document: " : "",
	    by->document, reason && (*what || document) ? "; " : "",
	    reason ? "reason: " : "", by->reason);
}
