/*
 * A run is cut into slices, one a step, which stay where they are: most changes only move slices. A
 * step that is new or changed is written into a room of its own, and its slice points there.
 */
#include "mutator.h"

#include <string.h>

#include "mutator_internal.h"

#define COUNT_OF(table) ((uint32_t)(sizeof(table) / sizeof(*(table))))

enum { REPEAT_MAX = 8, REPEAT_OFTEN = 64, RANGE_MAX = 16, CHANGES_MAX = 8 };

/* Runs rarely grow beyond so many steps: libFuzzer leaves the length to a mutator that it is given,
 * and twice the steps are half the runs. */
enum { STEPS_USUAL = 96, LONG_ONE_IN = 32 };

struct slice {
	const uint8_t *bytes;
	uint16_t size;
	uint8_t op, outcome;
};

struct run {
	struct echo_config config;
	uint64_t start_ms;
	uint32_t count;
	struct slice steps[MUTATOR_STEPS_MAX];
};

/* What is at work; all of it is written before it is read. */
static struct run run, other;
static struct step work;
static uint8_t fresh[MUTATOR_SIZE_MAX], encoded[MUTATOR_SIZE_MAX];
static size_t fresh_used;
static uint32_t steps_most; /* this time, unless there are more already */

_Static_assert(STEPS_STEP_MAX <= UINT16_MAX, "a step fits a slice");
_Static_assert((int)STEPS_HEAD_MAX <= (int)MUTATOR_SIZE_MAX, "there is room for a head");

/* Runs and steps. */

/* False: it was no run, and is now a small one without steps. */
static bool read_run(struct run *r, const uint8_t *data, size_t size, struct chance *chance)
{
	struct steps steps;
	const uint8_t *before;

	r->count = 0;
	if (size == 0 || !steps_open(&steps, data, size, &r->config, &r->start_ms)) {
		r->config = config_make(chance);
		r->start_ms = 0;
		return false;
	}
	while (r->count < MUTATOR_STEPS_MAX && (before = steps.at, steps_next(&steps, &work)))
		r->steps[r->count++] = (struct slice){ before, (uint16_t)(steps.at - before),
						       (uint8_t)work.op, (uint8_t)work.outcome };
	return true;
}

/* The least of each field, where the head of the run would not fit. */
static size_t write_head(const struct run *r, uint8_t *out, size_t room)
{
	const struct echo_config least = {
		0
	}; /* which is moved inside the limits when it is read */
	size_t size = steps_put_head(out, room, &r->config, r->start_ms);

	if (size > 0)
		return size;
	return steps_put_head(out, room, &least, 0);
}

static size_t write_run(const struct run *r, uint8_t *out, size_t room)
{
	size_t size = write_head(r, out, room);

	for (uint32_t i = 0; i < r->count && size > 0 && r->steps[i].size <= room - size; i++) {
		memcpy(out + size, r->steps[i].bytes, r->steps[i].size);
		size += r->steps[i].size;
	}
	return size;
}

static void decode(const struct slice *slice)
{
	struct steps steps = { slice->bytes, slice->bytes + slice->size };

	steps_next(&steps, &work);
}

/* The slice of the step at work. False: the room is used up, and everything stays as it is. */
static bool encode(struct slice *slice)
{
	size_t size = steps_put(fresh + fresh_used, sizeof(fresh) - fresh_used, &work);

	if (size == 0)
		return false;
	*slice = (struct slice){ fresh + fresh_used, (uint16_t)size, (uint8_t)work.op,
				 (uint8_t)work.outcome };
	fresh_used += size;
	return true;
}

static void begin(struct chance *chance)
{
	fresh_used = 0;
	steps_most = one_in(chance, LONG_ONE_IN) ? MUTATOR_STEPS_MAX : STEPS_USUAL;
}

/* Makes a gap of so many slices; false: there would be more than `most`. */
static bool open_gap(uint32_t at, uint32_t count, uint32_t most)
{
	if (run.count + count > most)
		return false;
	memmove(&run.steps[at + count], &run.steps[at], (run.count - at) * sizeof(*run.steps));
	run.count += count;
	return true;
}

static void remove_range(uint32_t at, uint32_t count)
{
	run.count -= count;
	memmove(&run.steps[at], &run.steps[at + count], (run.count - at) * sizeof(*run.steps));
}

static void insert_work(uint32_t at)
{
	struct slice slice;

	if (run.count < steps_most && encode(&slice) && open_gap(at, 1, steps_most))
		run.steps[at] = slice;
}

static bool brings_connection(const struct slice *slice)
{
	return slice->op == ECHO_OP_ACCEPT && slice->outcome == ECHO_DONE;
}

static uint32_t accepted_before(const struct run *r, uint32_t at)
{
	uint32_t accepted = 0;

	for (uint32_t i = 0; i < at; i++)
		accepted += brings_connection(&r->steps[i]);
	return accepted;
}

static struct place place_of(struct chance *chance, uint32_t at)
{
	struct place place = { chance, &run.config, accepted_before(&run, at), 0 };
	uint32_t recent = place.accepted < 4 ? place.accepted : 4;

	if (recent > 0)
		place.whom = (place.accepted - 1 - any(chance, recent)) % STEPS_WHOM_LISTENER;
	return place;
}

/* Where steps begin that belong together: a wait, or the end. Looked for from a step at random. */
static uint32_t any_wait(struct chance *chance, const struct run *r)
{
	uint32_t at = any(chance, r->count + 1);

	while (at < r->count && r->steps[at].op != ECHO_OP_WAIT)
		at++;
	return at;
}

static uint32_t next_wait(const struct run *r, uint32_t at)
{
	for (at++; at < r->count && r->steps[at].op != ECHO_OP_WAIT; at++)
		;
	return at < r->count ? at : r->count;
}

/* Any step that `suits`, from one at random on; false: there is none. */
static bool find(struct chance *chance, bool (*suits)(const struct slice *), uint32_t *at)
{
	uint32_t from = any(chance, run.count + 1);

	for (uint32_t i = 0; i < run.count; i++) {
		*at = (from + i) % run.count;
		if (suits(&run.steps[*at]))
			return true;
	}
	return false;
}

static bool is_step(const struct slice *slice)
{
	return slice->op != ECHO_OP_NONE;
}

static bool is_wait(const struct slice *slice)
{
	return slice->op == ECHO_OP_WAIT;
}

static bool is_counted(const struct slice *slice)
{
	return steps_counts((enum echo_op)slice->op, (enum echo_outcome)slice->outcome);
}

/* Any range of steps, short rather than long. */
static uint32_t any_range(struct chance *chance, uint32_t *at)
{
	uint32_t most;

	*at = any(chance, run.count);
	most = run.count - *at;
	if (most > RANGE_MAX && !one_in(chance, 16))
		most = RANGE_MAX;
	return 1 + any(chance, one_in(chance, 2) && most > 4 ? 4 : most);
}

/* Operations on steps. All but the first two expect that there is one. */

/* What the engine may ask for after the step before; at times anything. */
static void insert_step(struct chance *chance)
{
	uint32_t at = any(chance, run.count + 1);
	struct place place = place_of(chance, at);
	enum echo_op op = ECHO_OP_WAIT;

	if (one_in(chance, 4))
		op = (enum echo_op)(1 + any(chance, ECHO_OP_COUNT - 1));
	else if (at > 0)
		op = op_after(chance, (enum echo_op)run.steps[at - 1].op,
			      (enum echo_outcome)run.steps[at - 1].outcome);
	step_make(&place, op, &work);
	insert_work(at);
}

static void insert_phrase(struct chance *chance)
{
	uint32_t at = one_in(chance, 2) ? run.count : any_wait(chance, &run);
	const struct phrase *phrase = phrase_any(chance);
	struct place place = place_of(chance, at);

	for (uint32_t i = 0; phrase_step(&place, phrase, i, &work); i++) {
		insert_work(at + i < run.count ? at + i : run.count);
		if (work.op == ECHO_OP_ACCEPT && work.outcome == ECHO_DONE)
			place.whom = place.accepted++ % STEPS_WHOM_LISTENER;
	}
}

static void delete_range(struct chance *chance)
{
	uint32_t at, count = any_range(chance, &at);

	remove_range(at, count);
}

static void swap_steps(struct chance *chance)
{
	uint32_t a = any(chance, run.count);
	uint32_t b = one_in(chance, 2) ? any(chance, run.count) : (a + 1) % run.count;
	struct slice slice = run.steps[a];

	run.steps[a] = run.steps[b];
	run.steps[b] = slice;
}

static void repeat_range(struct chance *chance)
{
	uint32_t at, count = any_range(chance, &at);
	uint32_t most = count <= 4 && one_in(chance, 4) ? REPEAT_OFTEN : REPEAT_MAX;

	for (uint32_t times = 1 + any(chance, most); times > 0; times--) {
		if (!open_gap(at, count, steps_most))
			return;
		memcpy(&run.steps[at], &run.steps[at + count], count * sizeof(*run.steps));
	}
}

/* A piece is a wait and what follows up to the next one. It is copied to another wait. */
static bool copy_piece(struct chance *chance, uint32_t most, uint32_t *from, uint32_t *count)
{
	static struct slice piece[MUTATOR_STEPS_MAX];
	uint32_t to;

	*from = any(chance, run.count);
	while (*from > 0 && run.steps[*from].op != ECHO_OP_WAIT)
		(*from)--;
	*count = next_wait(&run, *from) - *from;
	to = any_wait(chance, &run);
	memcpy(piece, &run.steps[*from], *count * sizeof(*piece));
	if (!open_gap(to, *count, most))
		return false;
	memcpy(&run.steps[to], piece, *count * sizeof(*piece));
	if (to <= *from)
		*from += *count;
	return true;
}

static void double_piece(struct chance *chance)
{
	uint32_t from, count;

	copy_piece(chance, steps_most, &from, &count);
}

static void move_piece(struct chance *chance)
{
	uint32_t from, count;

	if (copy_piece(chance, MUTATOR_STEPS_MAX, &from, &count))
		remove_range(from, count);
}

static void change_step(struct chance *chance, bool (*suits)(const struct slice *),
			void (*change)(const struct place *, struct step *))
{
	uint32_t at;
	struct place place;

	if (!find(chance, suits, &at))
		return;
	place = place_of(chance, at);
	decode(&run.steps[at]);
	change(&place, &work);
	encode(&run.steps[at]);
}

static void op_of_step(struct chance *chance)
{
	change_step(chance, is_step, change_op);
}

static void outcome_of_step(struct chance *chance)
{
	change_step(chance, is_step, change_outcome);
}

static void count_of_step(struct chance *chance)
{
	change_step(chance, is_counted, change_count);
}

static void clock_of_wait(struct chance *chance)
{
	change_step(chance, is_wait, change_clock);
}

static void requests_of_wait(struct chance *chance)
{
	change_step(chance, is_wait, change_requests);
}

static void events_of_wait(struct chance *chance)
{
	change_step(chance, is_wait, change_events);
}

static void configuration(struct chance *chance)
{
	change_config(chance, &run.config);
}

static void start(struct chance *chance)
{
	static const uint64_t starts[] = {
		0, 1, UINT32_MAX, INT64_MAX, UINT64_MAX - 1, UINT64_MAX
	};

	run.start_ms = starts[any(chance, COUNT_OF(starts))];
}

/* How often each is chosen, of all; the first ALWAYS work on a run without steps too. */
static const struct operation {
	void (*perform)(struct chance *chance);
	uint32_t weight;
} operations[] = {
	{ insert_step, 14 },  { insert_phrase, 14 },   { configuration, 7 },
	{ start, 1 },         { delete_range, 9 },     { swap_steps, 4 },
	{ repeat_range, 4 },  { double_piece, 4 },     { move_piece, 4 },
	{ op_of_step, 3 },    { outcome_of_step, 9 },  { count_of_step, 10 },
	{ clock_of_wait, 6 }, { requests_of_wait, 2 }, { events_of_wait, 9 },
};
enum { ALWAYS = 4 };

static void perform_any(struct chance *chance)
{
	uint32_t among = run.count == 0 ? (uint32_t)ALWAYS : COUNT_OF(operations);
	uint32_t total = 0, chosen, i;

	for (i = 0; i < among; i++)
		total += operations[i].weight;
	chosen = any(chance, total);
	for (i = 0; chosen >= operations[i].weight; i++)
		chosen -= operations[i].weight;
	operations[i].perform(chance);
}

/* The result is written aside first: slices point into what is overwritten. */
static size_t put_out(const struct run *r, uint8_t *out, size_t size_max)
{
	size_t room = size_max < sizeof(encoded) ? size_max : sizeof(encoded);
	size_t size = write_run(r, encoded, room);

	if (size > 0)
		memcpy(out, encoded, size);
	return size;
}

size_t mutate_run(uint8_t *data, size_t size, size_t size_max, uint32_t seed)
{
	struct chance chance = chance_of(seed);
	uint32_t changes = 1;

	begin(&chance);
	if (!read_run(&run, data, size, &chance))
		insert_phrase(&chance);
	while (changes < CHANGES_MAX && one_in(&chance, 2))
		changes++;
	for (; changes > 0; changes--)
		perform_any(&chance);
	return put_out(&run, data, size_max);
}

/* Splicing. */

/* The connections of the second run are numbered behind those of the first. */
static void renumber(uint32_t at, uint32_t count, uint32_t by)
{
	for (uint32_t i = at; i < at + count; i++) {
		if (run.steps[i].op != ECHO_OP_WAIT)
			continue;
		decode(&run.steps[i]);
		for (uint32_t k = 0; k < work.events_count; k++)
			if (work.events[k].whom < STEPS_WHOM_LISTENER)
				work.events[k].whom =
					(work.events[k].whom + by) % STEPS_WHOM_LISTENER;
		encode(&run.steps[i]);
	}
}

static uint32_t fitting(uint32_t count)
{
	uint32_t left = run.count < steps_most ? steps_most - run.count : 0;

	return count < left ? count : left;
}

size_t splice_runs(const uint8_t *a, size_t a_size, const uint8_t *b, size_t b_size, uint8_t *out,
		   size_t size_max, uint32_t seed)
{
	struct chance chance = chance_of(seed);
	uint32_t at, from, count, before;

	begin(&chance);
	read_run(&run, a, a_size, &chance);
	read_run(&other, b, b_size, &chance);
	at = any_wait(&chance, &run);
	from = any_wait(&chance, &other);
	count = other.count - from;
	if (one_in(&chance, 2)) /* the rest of the second instead of that of the first */
		run.count = at;
	else if (count > 0)
		count = 1 + any(&chance, count);
	count = fitting(count);
	before = accepted_before(&run, at);
	open_gap(at, count, steps_most);
	memcpy(&run.steps[at], &other.steps[from], count * sizeof(*run.steps));
	if (one_in(&chance, 2))
		renumber(at, count, before);
	if (one_in(&chance, 8))
		run.config = other.config;
	return put_out(&run, out, size_max);
}
