/* The rule of freshness (docs/decisions/0002), checked: a change of a key, the wait for the workers, and the tiers.
 *
 * One key, one worker in detail, everything else as an adversary; see README.md beside this file.
 *   versions   each commit makes one: 0 before all, 1 the first change, 2 the second. Without RESTORE 1 is "off" and 2 is
 *              "on again". A version is its own nonce. SEQ(v): its number in the counter.
 *   time       ticks of all clocks at once. Ages stop at the largest value that anything asks for, so runs have no end
 *              and no length. max_staleness = L ticks, keep time of a row = G = 2 L.
 *   statements are sent, executed and answered in separate steps; any of them may be late, or its answer lost.
 *   worker     may stop between any two steps for any time (SIGSTOP), be killed (its row stays) or close, and start anew.
 *   Redis      answers any version that anybody could have read, whenever it likes. So does a read of the database that
 *              another request had begun: it may have been executed at any time before. (Both therefore need no state.)
 *   temporary  (TEMPORARY) a temporary secret that was made from the key: what is left of it is worked out from the record
 *              that memory holds, and remembered. Where the record comes from elsewhere its request is one of the key's.
 *   role       an edit of a role is a change of each key that holds it: nothing that is not here.
 *   observer   stands for all other workers: looks at the row's beat when it likes, and deletes the row.
 *
 * The promise. A request that begins after change v returned is answered from version v or a later one. It follows that
 * no request that begins after deactivate() returned, and before activate() commits, is accepted: mutants are run against
 * this weaker sentence (-DREFUSES), the protocol itself against the stronger one.
 *
 * With RESTORE the database is put back once to an older state: the first change, rows and beats may be lost. It is
 * promised then, for changes made afterwards, on the following terms:
 *   - what was returned of the lost change is void: the database does not know it;
 *   - at once for a worker whose row came back as it was;
 *   - after L where the row was lost: the worker may hold a lease of the lost time, and nobody can know of it;
 *   - after G where the row came back with an older beat: an observer may count from when it saw that beat first;
 *   - Redis was flushed, and nobody remembers what it read of the lost change without having polled it (LOST_VALUES);
 *   - a beat is a new random number, never a count that comes again (BEAT_REPEATS).
 */

#ifndef L
#define L 2
#endif
#define G (2 * L)
#define NONE 3                             /* no version */

#ifdef RESTORE
#define SEQ(v) ((v == 2 && lost) -> 1 : v)
#define SURVIVES(v) (!(v == 1 && lost))
#else
#define SEQ(v) (v)
#define SURVIVES(v) true
#endif
#define MAX(a, b) ((a > b) -> a : b)

/* the database */
byte db = 0;                               /* the version that it holds */
byte made = 0;                             /* commits so far, lost ones too */
bit row = 0;                               /* the worker's row in gatepost_workers */
byte acked = 0;                            /* its acked_seq; -1 and 0 are one: nobody waits for seq 0 */
byte update = NONE;                        /* a renewal under way to the database: the version it acknowledges */

/* what was promised */
byte need = 0;                             /* the latest version whose change has returned */
bit member[3];                             /* change v waits for the row, and it is still there */
byte waited[3];                            /* since committed_at of change v */

/* the worker */
mtype = { OUT, JOINING, IDLE, SENT, READ, ASKING, ANSWERED, REFUSED, LEAVING };
mtype phase = OUT;
byte lease = 0;                            /* ticks that it lasts */
byte applied = NONE;
byte floor = 0;                            /* a seq */
byte memory = NONE, content = NONE;        /* as_of, and what the record really is; one and the same where rules hold */
#ifdef TEMPORARY
byte derived = NONE;                       /* what is left of a temporary secret: of which version of its parent's record */
bit same = 0;                              /* memory holds the very record that it was worked out from */
#endif
byte polled_for = 0;                       /* since the poll was sent */
bit beat_is_new = 0;                       /* sent - beat_at <= G - L */
byte seen = NONE;                          /* what the poll read of the counter */
bit row_seen = 0;                          /* ... and of the row */
byte beat_age = 0;                         /* since beat_at */
byte asked_for = 0;                        /* since the renewal was sent */

/* the observer */
bit watched = 0;                           /* it has seen the beat that the row has now */
byte watched_for = 0;

#ifdef RESTORE
bit restored = 0, lost = 0;
byte suspended = 0;
bit applied_lost = 0;                      /* this process has applied version 1, which was lost or may yet be */
bit continues = 0;                         /* the events read with the poll went on from what was applied */
#endif
#ifdef GC_UNCONDITIONAL
bit doomed = 0;
#endif
#ifdef SAME_ID
bit late_delete = 0;
#endif

#ifdef REFUSES
#ifdef RESTORE
#define FRESH(v) (need != 2 || v == 2 || suspended > 0)
#else
#define FRESH(v) (need != 1 || db != 1 || v == 1)
#endif
#else
#ifdef RESTORE
#define FRESH(v) (v >= need || suspended > 0)
#else
#define FRESH(v) (v >= need)
#endif
#endif

inline grow(age, most) { if :: age < most -> age++ :: else fi }
inline shrink(left) { if :: left > 0 -> left-- :: else fi }
inline row_gone() { row = 0; acked = 0; member[1] = 0; member[2] = 0; watched = 0; watched_for = 0 }
inline forget_poll() { polled_for = 0; beat_is_new = 0; seen = NONE; row_seen = 0 }
/* What memory holds is another record now: nothing that was worked out from the one before counts. It is kept, and only
 * asked whether it is of the very record that memory holds; here it is forgotten at once, for fewer states. */
inline part() {
#ifdef TEMPORARY
  same = 0;
#if !defined(TEMPORARY_OUTLIVES) && !defined(TEMPORARY_AS_ISSUED)
  derived = NONE
#endif
#else
  skip
#endif
}
inline forget_memory() { memory = NONE; content = NONE; part() }
inline end_process() {
#ifdef TEMPORARY
  derived = NONE;
#endif
#ifdef RESTORE
  applied_lost = 0;
#endif
  lease = 0; forget_memory(); applied = NONE; floor = 0; beat_age = 0; asked_for = 0; forget_poll()
}

active proctype Clock() {
  do
  :: d_step {
       shrink(lease); grow(beat_age, G - L + 1);
       if :: phase == SENT || phase == READ -> grow(polled_for, L) :: else fi;
       if :: phase == ASKING -> grow(asked_for, G - L + 1) :: else fi;
       if :: watched -> grow(watched_for, G) :: else fi;
       if :: member[1] -> grow(waited[1], L) :: else fi;
       if :: member[2] -> grow(waited[2], L) :: else fi;
#ifdef RESTORE
       shrink(suspended)
#endif
     }
  od
}

/* Freshness: join, poll, apply, renew, leave. */
active proctype Worker() {
  do
  :: atomic { phase == OUT ->                       /* a new process; the row that a killed one left is nobody's */
       end_process();
#ifndef SAME_ID
       row_gone();
#endif
#ifdef COUNTER_BEFORE_ROW
       phase = SENT
#else
       phase = JOINING
#endif
     }
  :: atomic { phase == JOINING ->                   /* INSERT, under a new id; beat_at was taken when it was sent */
#ifdef COUNTER_BEFORE_ROW
       if :: seen != NONE -> row_seen = 1; beat_is_new = (beat_age <= G - L); phase = READ
          :: else -> phase = IDLE fi;
#else
       phase = IDLE;
#endif
       row = 1; acked = 0; watched = 0; watched_for = 0; update = NONE;
#ifdef GC_UNCONDITIONAL
       doomed = 0;
#endif
#ifdef LEASE_AT_JOIN
       lease = L;
#endif
     }
  :: atomic { phase == IDLE -> polled_for = 0; beat_is_new = (beat_age <= G - L); phase = SENT }
  :: atomic { phase == SENT ->                      /* one statement reads counter and row */
       seen = db; row_seen = row;
#ifdef RESTORE
       continues = (applied != NONE -> (SURVIVES(applied) && SEQ(seen) > SEQ(applied)) : 0);
#endif
#ifdef LEASE_FROM_ANSWER
       polled_for = 0;
#endif
#ifdef COUNTER_BEFORE_ROW
       phase = (row -> READ : JOINING)
#else
       phase = READ
#endif
     }
  :: atomic { phase == READ -> forget_poll(); phase = IDLE }                  /* the answer was lost */
#ifdef ACK_BEFORE_APPLYING
  :: atomic { phase == READ && row && acked < SEQ(seen) -> acked = SEQ(seen) }
#endif
#ifdef LEASE_BEFORE_APPLYING
  :: atomic { phase == READ && row_seen && beat_is_new && lease < L - polled_for -> lease = L - polled_for }
#endif
  :: atomic { phase == READ ->                      /* no await from here to the end of the step */
       if
       :: seen == applied                           /* no news */
       :: seen != applied && applied == NONE ->     /* the first poll: floors from the recent events */
#ifndef NO_FLOORS_AT_START
          floor = SEQ(seen)
#endif
#ifdef RESTORE
#ifdef NONCE_UNCHECKED
       :: seen != applied && applied != NONE && SEQ(seen) == SEQ(applied)
#endif
       :: seen != applied && applied != NONE && (continues || (SURVIVES(applied) && SURVIVES(seen) && SEQ(seen) > SEQ(applied))) ->
          floor = MAX(floor, SEQ(seen))
#ifndef NONCE_UNCHECKED
       :: seen != applied && applied != NONE && !(SURVIVES(applied) && SURVIVES(seen) && SEQ(seen) > SEQ(applied)) ->
#ifdef DISTRUST_SKIPPED
          floor = MAX(floor, SEQ(seen))
#else
#ifdef DISTRUST_KEEPS_FLOOR
          floor = SEQ(seen);
#else
          floor = MAX(MAX(floor, SEQ(seen)), SEQ(applied)) + 1;
#endif
          forget_memory()
#endif
#endif
#else
       :: seen != applied && applied != NONE ->
#ifdef NET_EFFECT_ONLY
          if :: seen == 2 && applied == 0 :: else -> floor = seen fi       /* off and on again: nothing changed? */
#else
          floor = seen
#endif
#endif
       fi;
#ifndef MEMORY_NOT_DROPPED
       if :: memory != NONE && SEQ(memory) < floor -> forget_memory() :: else fi;
#endif
       applied = seen;
#ifdef RESTORE
       if :: seen == 1 -> applied_lost = 1 :: else fi;
#endif
       if
#ifdef LEASE_WITHOUT_ROW
       :: true -> lease = L - polled_for
#else
#ifdef LEASE_ON_OLD_BEAT
       :: row_seen -> lease = L - polled_for
#else
#ifdef ROW_UNSEEN
       :: beat_is_new -> lease = L - polled_for
#else
       :: row_seen && beat_is_new -> lease = L - polled_for
#endif
#endif
       :: row_seen && !beat_is_new                                         /* it runs out by itself */
#ifndef ROW_UNSEEN
       :: !row_seen -> lease = 0
#endif
#endif
       fi;
#if defined(LEASE_WITHOUT_ROW) || defined(ROW_UNSEEN)
       phase = IDLE;
#else
       if :: row_seen -> phase = IDLE :: else -> beat_age = 0; phase = JOINING fi;
#endif
       forget_poll()
     }
  :: atomic { phase == IDLE && applied != NONE && update == NONE -> update = applied; asked_for = 0; phase = ASKING }
  :: atomic { phase == ASKING -> asked_for = 0; phase = IDLE }          /* the answer is lost; the statement may be late */
#ifdef BEAT_FROM_ANSWER
  :: atomic { phase == ANSWERED -> beat_age = 0; phase = IDLE }
#endif
  :: atomic { phase == REFUSED ->                   /* lease ended; DELETE of the own row; join under a new id */
#ifndef REJOIN_KEEPS_LEASE
       assert(lease == 0);
#endif
       row_gone(); beat_age = 0; phase = JOINING }
  :: atomic { phase == IDLE ->                      /* close: lease ended, memory cleared, then DELETE */
#ifndef LEAVE_ROW_FIRST
       end_process();
#endif
       phase = LEAVING }
  :: atomic { phase == LEAVING -> row_gone();
#ifndef LEAVE_ROW_FIRST
       phase = OUT
#endif
     }
#ifdef LEAVE_ROW_FIRST
  :: atomic { phase == LEAVING && !row -> end_process(); phase = OUT }
#endif
  :: atomic { phase != OUT ->                       /* kill -9 */
#ifdef SAME_ID
       if :: phase == LEAVING -> late_delete = 1 :: else fi;
#endif
       end_process(); phase = OUT }
  od
}

/* A renewal reaches the database, or never does. */
active proctype Renewal() {
  do
  :: atomic { update != NONE ->
       if
#ifdef ACK_UNCONDITIONAL
       :: row ->
#else
       :: row && SURVIVES(update) ->                /* ... AND EXISTS (the event of this seq with this nonce) */
#endif
          acked = SEQ(update); watched = 0; watched_for = 0;
#ifdef BEAT_REPEATS
          if :: restored -> watched = 1; watched_for = G :: true fi;
#endif
          if
          :: phase == ASKING ->                     /* the answer may come at once: a worker may rest when IDLE, too */
#ifdef BEAT_FROM_ANSWER
             phase = ANSWERED
#else
             beat_age = asked_for; asked_for = 0; phase = IDLE
#endif
          :: else
          fi
       :: else ->
          if :: phase == ASKING -> phase = REFUSED; asked_for = 0;
#ifndef REJOIN_KEEPS_LEASE
                lease = 0
#endif
             :: else fi
       fi;
       update = NONE }
  :: atomic { update != NONE -> update = NONE }
#ifdef SAME_ID
  :: atomic { late_delete -> late_delete = 0; row_gone() }
#endif
  od
}

active proctype Observer() {
  do
  :: atomic { row && !watched -> watched = 1;
#ifdef OBSERVER_STAMPS_EARLY
       watched_for = G
#endif
     }
#ifdef GC_UNCONDITIONAL
  :: atomic { row && watched && watched_for >= G && !doomed -> doomed = 1 }
  :: atomic { row && doomed -> doomed = 0; row_gone() }
#else
#ifdef GC_EARLY
  :: atomic { row && watched && watched_for >= L -> row_gone() }
#else
  :: atomic { row && watched && watched_for >= G -> row_gone() }   /* DELETE ... AND beat = the beat seen */
#endif
#endif
  od
}

/* A version that an answer from elsewhere may hold. */
#ifdef RESTORE
#ifdef LOST_VALUES
#define OFFERED true
#else
#define OFFERED (!lost || applied_lost)
#endif
#else
#define OFFERED true
#endif
inline any_version(v, real) {
  if :: v = 0 :: made >= 1 && OFFERED -> v = 1 :: made >= 2 -> v = 2 fi;
  real = v;
#ifdef TORN_READ
  if :: v > 0 -> real = v - 1 :: true fi            /* the record was read first, the counter then */
#endif
}

/* Where a request may be answered from: the checks of Lookup.hit and Lookup.find. */
#ifdef MEMORY_LEASE_UNCHECKED
#define MEMORY_COUNTS true
#else
#define MEMORY_COUNTS (lease > 0)
#endif
#ifdef REDIS_LEASE_UNCHECKED
#define REDIS_COUNTS(v) (SEQ(v) >= floor)
#else
#ifdef REDIS_FLOOR_UNCHECKED
#define REDIS_COUNTS(v) (lease > 0)
#else
#define REDIS_COUNTS(v) (lease > 0 && SEQ(v) >= floor)
#endif
#endif
#ifdef JOINED_LEASE_UNCHECKED
#define JOINED_COUNTS(v) (SEQ(v) >= floor)
#else
#ifdef JOINED_FLOOR_UNCHECKED
#define JOINED_COUNTS(v) (lease > 0)
#else
#define JOINED_COUNTS(v) (lease > 0 && SEQ(v) >= floor)
#endif
#endif
#ifdef FILL_UNCHECKED
#define MAY_FILL(v) true
#else
#define MAY_FILL(v) (SEQ(v) >= floor && (memory == NONE || SEQ(memory) <= SEQ(v)))
#endif

#ifdef TEMPORARY
#ifdef TEMPORARY_OUTLIVES
#define TEMPORARY_COUNTS (derived != NONE && lease > 0)
#else
#ifdef TEMPORARY_LEASE_UNCHECKED
#define TEMPORARY_COUNTS (derived != NONE && same)
#else
#define TEMPORARY_COUNTS (derived != NONE && same && lease > 0)
#endif
#endif
#endif

/* Requests, each in the step that decides it: one that began earlier is promised less. */
active proctype Requests() {
  byte v, real;
  do
  :: atomic { memory != NONE && MEMORY_COUNTS -> assert(FRESH(content)) }
  :: atomic { phase != OUT -> any_version(v, real);                        /* from Redis */
       if :: REDIS_COUNTS(v) -> assert(FRESH(real)) :: else fi;
       v = 0; real = 0 }
  :: atomic { phase != OUT -> any_version(v, real);                        /* from a read that another request began */
       if :: JOINED_COUNTS(v) -> assert(FRESH(real)) :: else fi;
       v = 0; real = 0 }
  :: atomic { phase != OUT -> assert(FRESH(db)) }                          /* from its own read; the answer comes below */
  :: atomic { phase != OUT -> any_version(v, real);                        /* an answer is remembered, however late */
       if :: MAY_FILL(v) -> memory = v; content = real; part() :: else fi;
       v = 0; real = 0 }
  :: atomic { memory != NONE -> forget_memory() }            /* evicted, or past its time */
#ifdef TEMPORARY
  :: atomic { memory != NONE && MEMORY_COUNTS ->                           /* worked out from the parent's record */
#ifdef TEMPORARY_AS_ISSUED
       if :: derived == NONE -> derived = content :: else fi;
#else
       derived = content;
#endif
       same = 1; assert(FRESH(derived)) }
  :: atomic { TEMPORARY_COUNTS -> assert(FRESH(derived)) }
  :: atomic { derived != NONE -> derived = NONE; same = 0 }                /* pushed out */
#endif
  od
}

/* activate(), deactivate(). The second may come before the first has returned, or never. */
proctype Change(byte v) {
  atomic { made == v - 1;
#ifdef MEMBERS_BEFORE_COMMIT
    member[v] = row; waited[v] = 0
#endif
#ifdef WAIT_FROM_BEFORE_COMMIT
    member[v] = 1; waited[v] = 0                    /* so that the clock counts */
#endif
  }
  atomic { made == v - 1 -> db = v; made = v }
#ifdef WAIT_FROM_BEFORE_COMMIT
  atomic { member[v] = row };
#else
#ifndef MEMBERS_BEFORE_COMMIT
  skip;                                             /* committed_at: any time after the commit */
  atomic { member[v] = row; waited[v] = 0 }         /* the members, read in the same tick or a later one */
#endif
#endif
#ifndef WAIT_SKIPPED
  atomic { !member[v] || acked >= SEQ(v) || waited[v] >= L }
#endif
  atomic {
    if :: SURVIVES(v) -> need = MAX(need, v) :: else fi;
    member[v] = 0; waited[v] = 0 }
}

#ifdef RESTORE
active proctype Restore() {
  atomic { made <= 1 -> restored = 1;
    if
    :: made == 1 -> lost = 1; db = 0; need = 0; acked = 0;
#ifndef LOST_VALUES
       if :: memory == 1 && !applied_lost -> forget_memory() :: else fi
#endif
    :: true                                         /* no change was lost, only what follows */
    fi;
    if
    :: row -> row_gone(); suspended = L
    :: row -> acked = 0; watched = 1; watched_for = G; suspended = G
    :: true
    fi }
}
#endif

init { atomic { run Change(1); run Change(2) } }
