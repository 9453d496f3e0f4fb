#include "service/draft.h"

#include <assert.h>

#include "bus/unpack.h"

void draft_begin(
    struct draft *self, Notify__Kind kind, const struct id *terminal)
{
	notify__notice__init(&self->notice);
	self->notice.kind = kind;
	self->notice.figures = self->pointers;
	if (terminal)
		self->notice.terminal_id =
		    field_of(slice_of(terminal->bytes, ID_BYTES));
}

void draft_add(struct draft *self, const char *name, uint64_t value)
{
	size_t at = self->notice.n_figures;

	assert(at < DRAFT_FIGURES_MAX);
	notify__figure__init(&self->figures[at]);
	self->figures[at].name = (char *)(uintptr_t)name; /* only read */
	self->figures[at].value = value;
	self->pointers[at] = &self->figures[at];
	self->notice.n_figures++;
}
