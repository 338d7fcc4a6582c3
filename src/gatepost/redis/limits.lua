-- What limits count, in one call for many requests. Nothing else writes these keys.
--
-- KEYS: one for each bucket that is asked, in their order. ARGV, for each request: the number of its buckets, and how
-- often it is made: as many times, one after another, it is let in or not. Then for each bucket what is asked, and three
-- values:
--   rate    microseconds per unit, burst, cost    all that a request asks for is taken, or nothing is
--   charge  microseconds per unit, burst, cost    taken in any case, up to as much below empty as the burst is; a cost
--                                                 below 0 is given back
--   slots   how many, microseconds, name          as rate: a slot that lives for so long; 0 microseconds = only look
--   keep    -, microseconds, name                 the slot lives for so long from now on
--   free    -, -, name                            the slot is free
-- Of slots a name has one, so these requests are made once each.
-- Answers, for each request: how often it was let in, from the first time on: afterwards nothing was taken. Then for
-- each bucket, as it is after all of that: units left, microseconds until what was asked for is there (0 = it was each
-- time), microseconds until all is there.
--
-- A rate is one number: when all that was taken has come back (GCRA). In whole microseconds it stays below 2^53, so no
-- digit is lost, as long as Lua makes no text of it. What lies too far ahead, after an edit of the limit or a step back
-- of the clock, is cut. The clock is read once: it goes on while a script runs.
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local answers, keys_before, at = {}, 0, 1

local function asked_of(place)
  return ARGV[place], tonumber(ARGV[place + 1]), tonumber(ARGV[place + 2]), ARGV[place + 3]
end

local function back_at(key, full)
  local back = tonumber(redis.call('GET', key) or 0)
  return math.max(now, math.min(back, now + 2 * full))
end

local function keep(key, lives, name)
  redis.call('ZADD', key, now + lives, name)
  redis.call('PEXPIRE', key, math.ceil(lives / 1000) + 1)
end

while at <= #ARGV do
  local count, times, first = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), at + 2
  local let_in, state = times, {}
  for each = 1, count do
    local key = KEYS[keys_before + each]
    local kind, size, most, what = asked_of(first + 4 * (each - 1))
    if kind == 'rate' then
      state[each] = back_at(key, size * most)
      local cost = tonumber(what) * size
      if cost > 0 then
        let_in = math.min(let_in, math.max(0, math.floor((now + size * most - state[each]) / cost)))
      end
    elseif kind == 'slots' then
      redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
      state[each] = redis.call('ZCARD', key)
      if most > 0 and state[each] >= size then
        let_in = 0
      end
    end
  end
  answers[#answers + 1] = let_in
  for each = 1, count do
    local key = KEYS[keys_before + each]
    local kind, size, most, what = asked_of(first + 4 * (each - 1))
    local left, wait, whole = 0, 0, 0
    if kind == 'rate' or kind == 'charge' then
      local full, cost = size * most, tonumber(what) * size
      local back = state[each] or back_at(key, full)
      if let_in > 0 and cost ~= 0 then
        back = math.max(now, math.min(back + let_in * cost, now + 2 * full))
        redis.call('SET', key, back, 'PX', math.ceil((back - now) / 1000) + 1)
      end
      if let_in < times then
        wait = math.max(0, back + cost - now - full)
      end
      left, whole = math.max(0, math.floor((now + full - back) / size)), back - now
    elseif kind == 'slots' then
      local held = state[each]
      if most > 0 and let_in > 0 then
        keep(key, most, what)
        held = held + 1
      elseif most > 0 and held >= size then
        wait = 1
      end
      left = math.max(0, size - held)
    elseif kind == 'keep' then
      keep(key, most, what)
    elseif kind == 'free' then
      redis.call('ZREM', key, what)
    end
    answers[#answers + 1] = left
    answers[#answers + 1] = wait
    answers[#answers + 1] = whole
  end
  keys_before, at = keys_before + count, first + 4 * count
end
return answers
