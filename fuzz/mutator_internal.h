/* What the files of the mutator share: chance, and the making of steps. */
#ifndef EPOLL_ECHO_FUZZ_MUTATOR_INTERNAL_H
#define EPOLL_ECHO_FUZZ_MUTATOR_INTERNAL_H

#include "steps/steps.h"

/* One number, advanced by each question (xorshift64*). */
struct chance {
	uint64_t state; /* never 0 */
};

static inline struct chance chance_of(uint32_t seed)
{
	return (struct chance){
		(seed + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9) | 1
	};
}

/* Any number below `end`, which is at least 1. */
static inline uint32_t any(struct chance *chance, uint32_t end)
{
	chance->state ^= chance->state >> 12;
	chance->state ^= chance->state << 25;
	chance->state ^= chance->state >> 27;
	return (uint32_t)((chance->state * UINT64_C(0x2545f4914f6cdd1d) >> 32) * end >> 32);
}

static inline bool one_in(struct chance *chance, uint32_t n)
{
	return any(chance, n) == 0;
}

/* Where in which run a step stands, as far as the values of its fields refer to it. */
struct place {
	struct chance *chance;
	const struct echo_config *config;
	uint32_t accepted; /* connections before it */
	uint32_t whom;     /* the one that a phrase is about */
};

/* A step of that operation, most likely with an outcome that suits it. */
void step_make(const struct place *place, enum echo_op op, struct step *step);

/* An operation that the engine may ask for after a step with that operation and outcome. */
enum echo_op op_after(struct chance *chance, enum echo_op op, enum echo_outcome outcome);

/* Each changes one field; the caller sees to it that the step has it. */
void change_op(const struct place *place, struct step *step);
void change_outcome(const struct place *place, struct step *step);
void change_count(const struct place *place, struct step *step);
void change_clock(const struct place *place, struct step *step);
void change_requests(const struct place *place, struct step *step);
void change_events(const struct place *place, struct step *step);
void change_config(struct chance *chance, struct echo_config *config);

/* A configuration to begin with: small and usual. */
struct echo_config config_make(struct chance *chance);

/* Steps that tell a story together, such as an echo: `i` counts them from 0. False: it is over. */
struct phrase;
const struct phrase *phrase_any(struct chance *chance);
bool phrase_step(const struct place *place, const struct phrase *phrase, uint32_t i,
		 struct step *step);

#endif
