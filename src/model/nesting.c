/*
 * Instances that watch instances. Wake-ups go up through them by recursion, so the kernel allows
 * neither circles, nor chains of more than five, nor too many paths from one file up to instances
 * that nobody watches.
 */
#include "state.h"

enum { NESTS_MAX = 4, TOO_DEEP = INT_MAX / 2 };

/* For each step from an entry up: how many paths may end there (path_limits; the first one is not
 * held to its limit, so any number of instances may watch a file). */
static const uint32_t paths_max[NESTS_MAX + 1] = { UINT32_MAX, 500, 100, 50, 10 };

static int larger(int a, int b)
{
	return a > b ? a : b;
}

static struct object *watched(const struct link *link)
{
	return OWNER(link, struct entry, of_epoll)->file->object;
}

static struct epoll *watcher(const struct link *link)
{
	return &OWNER(link, struct entry, of_file)->epoll->epoll;
}

/* Whatever is stamped with the number of this check was looked at by it. */
static bool seen_already(const struct model *m, uint32_t *stamp)
{
	bool seen = *stamp == m->check;

	*stamp = m->check;
	return seen;
}

/* The longest chain of instances below this one; TOO_DEEP: `above` is among them
 * (ep_loop_check_proc). */
static int depth_below(struct model *m, struct epoll *epoll, const struct object *above, int depth)
{
	int result = 0;

	if (seen_already(m, &epoll->check))
		return (int)epoll->depth;
	for (struct link *link = epoll->entries.next;
	     link != &epoll->entries && result <= NESTS_MAX; link = link->next) {
		struct object *next = watched(link);

		if (next->kind != KIND_EPOLL)
			continue;
		if (next == above || depth > NESTS_MAX)
			result = TOO_DEEP;
		else
			result = larger(result, 1 + depth_below(m, &next->epoll, above, depth + 1));
	}
	epoll->depth = (uint32_t)result;
	return result;
}

/* And above it (ep_get_upwards_depth_proc). */
static int height_above(struct model *m, struct epoll *epoll)
{
	struct link *watchers = &epoll->file->watchers;
	int result = 0;

	if (seen_already(m, &epoll->check))
		return (int)epoll->depth;
	for (struct link *link = watchers->next; link != watchers; link = link->next)
		result = larger(result, 1 + height_above(m, watcher(link)));
	epoll->depth = (uint32_t)result;
	return result;
}

/* ep_loop_check */
int nesting_loops(struct model *m, struct object *epoll, struct object *target)
{
	int depth;

	m->check++;
	depth = depth_below(m, &target->epoll, epoll, 0);
	if (depth > NESTS_MAX || depth + 1 + height_above(m, &epoll->epoll) > NESTS_MAX)
		return MODEL_ELOOP;
	return 0;
}

/* Follows every path up (reverse_path_check_proc). False: there are too many. */
static bool few_above(const struct file *file, uint32_t *counts, uint32_t step)
{
	const struct link *watchers = &file->watchers;

	if (step > NESTS_MAX)
		return false;
	for (struct link *link = watchers->next; link != watchers; link = link->next) {
		const struct file *next = watcher(link)->file;

		if (linked(&next->watchers) ? !few_above(next, counts, step + 1)
					    : ++counts[step] > paths_max[step])
			return false;
	}
	return true;
}

/* From each file that is no instance itself and lies below. */
static bool few_from(struct model *m, struct file *file)
{
	uint32_t counts[NESTS_MAX + 1] = { 0 };
	struct link *entries = &file->object->epoll.entries;

	if (seen_already(m, &file->check))
		return true;
	if (file->object->kind != KIND_EPOLL)
		return few_above(file, counts, 0);
	for (struct link *link = entries->next; link != entries; link = link->next)
		if (!few_from(m, OWNER(link, struct entry, of_epoll)->file))
			return false;
	return true;
}

/* reverse_path_check */
int nesting_paths(struct model *m, struct file *file)
{
	m->check++;
	return few_from(m, file) ? 0 : MODEL_EINVAL;
}
